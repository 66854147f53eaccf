//! Messages of every shape: what is written is read back, header by header.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use sansip::sip::{HeaderName, Message, Method, Writer};

const NAMES: [&str; 12] = [
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Route",
    "Subject",
    "X-Any",
    "Supported",
    "Authorization",
    "x",
];

fn header() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        4 => prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned),
        1 => "[A-Za-z][-A-Za-z0-9!%*_+`'~.]{0,15}",
    ];
    let known_length = |(name, _): &(String, String)| {
        let name = HeaderName::parse(name.as_bytes());
        !matches!(name, HeaderName::ContentLength | HeaderName::ContentType)
    };
    (name, "([!-~]([ -~]{0,40}[!-~])?)?").prop_filter("written by the end", known_length)
}

/// A request with its method and URI, or a response with its status and phrase.
#[derive(Clone, Debug)]
enum Start {
    Request(String, String),
    Response(u16, String),
}

fn start() -> impl Strategy<Value = Start> {
    prop_oneof![
        ("[A-Z]{1,12}", "sip:[a-z0-9.@:;=-]{1,30}").prop_map(|(m, u)| Start::Request(m, u)),
        (100..700_u16, "([!-~]([ -~]{0,20}[!-~])?)?").prop_map(|(s, r)| Start::Response(s, r)),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_and_every_smaller_buffer_refused(
        start in start(),
        headers in prop::collection::vec(header(), 0..20),
        body in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
    ) {
        let write = |buffer: &mut [u8]| {
            let mut writer = Writer::new(buffer);
            match &start {
                Start::Request(method, uri) => {
                    writer.request(Method::parse(method.as_bytes()), uri.as_bytes())
                }
                Start::Response(status, reason) => writer.response(*status, reason.as_bytes()),
            };
            for (name, value) in &headers {
                writer.header(HeaderName::parse(name.as_bytes()), value.as_bytes());
            }
            match &body {
                None => writer.finish(),
                Some(body) => writer.finish_with_body(b"text/plain", body),
            }
        };
        let mut buffer = [0; 4096];
        let len = write(&mut buffer).unwrap();
        let message = Message::parse(&buffer[..len]).unwrap();
        match &start {
            Start::Request(method, uri) => {
                prop_assert_eq!(message.method(), Some(Method::parse(method.as_bytes())));
                prop_assert_eq!(message.uri(), Some(uri.as_bytes()));
            }
            Start::Response(status, _) => prop_assert_eq!(message.status(), Some(*status)),
        }
        let mut read = message.headers();
        for (name, value) in &headers {
            let found = read.next().unwrap();
            prop_assert_eq!(found.name, HeaderName::parse(name.as_bytes()));
            prop_assert_eq!(found.value, value.as_bytes());
        }
        let ours = if body.is_some() { 2 } else { 1 };
        prop_assert_eq!(read.count(), ours);
        prop_assert_eq!(message.body(), body.as_deref().unwrap_or_default());
        // a message that was read is written again as it was
        let mut again = [0; 4096];
        let mut writer = Writer::new(&mut again);
        writer.start_line(&message.start_line());
        for header in message.headers() {
            writer.raw_header(&header);
        }
        let again_len = writer.finish_raw(message.body()).unwrap();
        prop_assert_eq!(&again[..again_len], &buffer[..len]);
        for short in (0..len).step_by(7) {
            prop_assert!(write(&mut again[..short]).is_err());
        }
    }
}
