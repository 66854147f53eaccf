//! One endpoint against a script: the test writes the peer's messages as text, made from what the
//! endpoint sent.

use core::net::SocketAddr;

use sansip::digest::{Algorithm, Parameters, Qop, Secret};
use sansip::endpoint::{Account, AccountId, CallId, Config, Input, OutgoingCall, QueryId, Reason};
use sansip::path::Path;
use sansip::sdp::LocalMedia;
use sansip::storage::Memory;
use sansip::time::{Duration, Instant};

use super::{Datagram, Heard, Node};

/// Where the endpoint is.
pub const US: &str = "192.0.2.1:5060";
/// The registrar and proxy.
pub const SERVER: &str = "192.0.2.10:5060";
/// A peer that is no server of ours.
pub const PEER: &str = "192.0.2.20:5060";
/// Somebody else.
pub const OTHER: &str = "192.0.2.30:5060";

/// A message that the endpoint sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub to: SocketAddr,
    pub text: String,
}

impl Sent {
    fn of(datagram: Datagram) -> Self {
        let text = String::from_utf8(datagram.bytes).unwrap();
        assert!(text.contains("\r\n\r\n"), "a message ends: {text}");
        Self { to: datagram.to, text }
    }

    pub fn label(&self) -> String {
        let bytes = self.text.clone().into_bytes();
        Datagram { from: self.to, to: self.to, bytes }.label()
    }

    pub fn head(&self) -> &str {
        self.text.split_once("\r\n\r\n").unwrap().0
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").unwrap().1
    }

    /// The values of all header lines with this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head().split("\r\n").skip(1);
        let split = lines.map(|line| line.split_once(':').expect("a header has a colon"));
        split
            .filter(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// The value of a header that stands exactly once.
    pub fn header(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} in {}", self.text);
        all[0]
    }

    pub fn uri(&self) -> &str {
        self.text.split(' ').nth(1).unwrap()
    }

    pub fn method(&self) -> &str {
        self.text.split(' ').next().unwrap()
    }

    pub fn status(&self) -> u16 {
        assert!(self.text.starts_with("SIP/2.0 "), "{}", self.text);
        self.uri().parse().unwrap()
    }

    pub fn cseq(&self) -> u32 {
        self.header("CSeq").split(' ').next().unwrap().parse().unwrap()
    }

    pub fn branch(&self) -> &str {
        param(self.all("Via")[0], "branch").expect("a branch")
    }

    pub fn tag_of_from(&self) -> &str {
        param(self.header("From"), "tag").expect("a From tag")
    }

    pub fn tag_of_to(&self) -> Option<&str> {
        param(self.header("To"), "tag")
    }

    /// The URI in Contact.
    pub fn contact(&self) -> &str {
        let value = self.header("Contact");
        value.split_once('<').unwrap().1.split_once('>').unwrap().0
    }

    /// A parameter of the digest in this header, without quotes.
    pub fn digest(&self, header: &str, name: &str) -> Option<String> {
        let value = self.header(header).strip_prefix("Digest ").unwrap();
        let mut parts = value.split(", ").map(|part| part.split_once('=').unwrap());
        let (_, value) = parts.find(|(own, _)| *own == name)?;
        Some(value.trim_matches('"').to_owned())
    }

    /// Whether the digest in this header proves `password` for this very message.
    pub fn proves(&self, header: &str, password: &str) -> bool {
        let get = |name| self.digest(header, name).unwrap_or_default();
        let algorithm = match self.digest(header, "algorithm") {
            Some(name) => Algorithm::parse(name.as_bytes()).unwrap(),
            None => Algorithm::Md5,
        };
        assert_eq!(get("uri"), self.uri());
        let (username, realm, nonce) = (get("username"), get("realm"), get("nonce"));
        let expected = Parameters {
            algorithm,
            username: username.as_bytes(),
            realm: realm.as_bytes(),
            secret: Secret::Password(password.as_bytes()),
            nonce: nonce.as_bytes(),
            method: self.method().as_bytes(),
            uri: self.uri().as_bytes(),
            qop: match self.digest(header, "qop").as_deref() {
                None => Qop::None,
                Some("auth") => Qop::Auth,
                Some(other) => panic!("qop {other}"),
            },
            nc: u32::from_str_radix(&get("nc"), 16).unwrap_or(0),
            cnonce: get("cnonce").as_bytes(),
        }
        .response();
        expected.as_bytes() == get("response").as_bytes()
    }

    /// The response of a peer with this To tag; `more` are whole header lines without line ends.
    pub fn response(&self, status: u16, tag: &str, more: &[&str], body: &str) -> String {
        let mut text = format!("SIP/2.0 {status} Whatever\r\n");
        for via in self.all("Via") {
            text += &format!("Via: {via}\r\n");
        }
        text += &format!("From: {}\r\n", self.header("From"));
        let to = self.header("To");
        match (self.tag_of_to(), tag) {
            (None, tag) if !tag.is_empty() => text += &format!("To: {to};tag={tag}\r\n"),
            _ => text += &format!("To: {to}\r\n"),
        }
        text += &format!("Call-ID: {}\r\n", self.header("Call-ID"));
        text += &format!("CSeq: {}\r\n", self.header("CSeq"));
        finish(text, more, body)
    }
}

/// Add header lines, the length and a body, which is SDP unless a Content-Type is given.
pub fn finish(mut text: String, more: &[&str], body: &str) -> String {
    for line in more {
        text += line;
        text += "\r\n";
    }
    let typed = more.iter().any(|line| line.starts_with("Content-Type"));
    if !body.is_empty() && !typed {
        text += "Content-Type: application/sdp\r\n";
    }
    text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A parameter of a header value, outside its angle brackets.
pub fn param<'t>(value: &'t str, name: &str) -> Option<&'t str> {
    let params = value.rsplit_once('>').map_or(value, |(_, params)| params);
    params.split(';').find_map(|param| {
        let (own, value) = param.split_once('=').unwrap_or((param, ""));
        (own.trim() == name).then_some(value.trim())
    })
}

/// SDP of the peer.
pub fn sdp(address: &str, port: u16, direction: &str) -> String {
    format!(
        "v=0\r\no=peer 7 7 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    )
}

/// The usual SDP of the peer.
pub fn audio() -> String {
    sdp("192.0.2.20", 6000, "sendrecv")
}

/// One endpoint under virtual time, and the script of everybody else.
pub struct Scene {
    pub node: Node,
    pub now: Instant,
    pub account: AccountId,
    told: usize,
    branches: u32,
}

impl Scene {
    /// A phone with one account at the server.
    pub fn new() -> Self {
        Self::with(Config::default(), |_| {})
    }

    pub fn with(config: Config, change: impl FnOnce(&mut Account<'static>)) -> Self {
        let mut account = Account {
            identity: "sip:alice@example.com",
            display_name: "Alice",
            registrar: "sip:192.0.2.10",
            password: "secret",
            user_agent: "scene/1",
            ..Account::default()
        };
        change(&mut account);
        let memory = Memory::<3, 4, 6, 16, 16, 1024, 4096>::new();
        let memory = Box::leak(Box::new(memory));
        let mut node = Node::with_storage(US, 7, config, memory.storage());
        let now = Instant::from_millis(5000);
        let account = node.endpoint.add_account(now, account).unwrap();
        Self { node, now, account, told: 0, branches: 0 }
    }

    /// Let time pass.
    pub fn run_ms(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        self.node.drain(self.now);
        while let Some(next) = self.node.endpoint.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(next);
            self.node.drain(self.now);
        }
        self.now = end;
        self.node.drain(self.now);
    }

    pub fn run_s(&mut self, s: u64) {
        self.run_ms(s * 1000);
    }

    /// Let time pass until something is sent, for at most so long: the one message.
    pub fn wait_s(&mut self, most_s: u64, label: &str) -> Sent {
        let end = self.now + Duration::from_secs(most_s);
        loop {
            let sent = self.sent();
            if !sent.is_empty() {
                let labels: Vec<_> = sent.iter().map(Sent::label).collect();
                assert_eq!(labels, [label], "{:?}", self.node.heard);
                return sent.into_iter().next().unwrap();
            }
            let next = self.node.endpoint.poll_timeout().filter(|at| *at <= end);
            self.now = next.expect("a deadline until it is sent").max(self.now);
        }
    }

    /// Everything that was sent since the last look.
    pub fn sent(&mut self) -> Vec<Sent> {
        self.node.drain(self.now);
        self.node.take_outbox().into_iter().map(Sent::of).collect()
    }

    /// The labels of what was sent since the last look.
    pub fn labels(&mut self) -> Vec<String> {
        self.sent().iter().map(Sent::label).collect()
    }

    /// The one message that was sent since the last look.
    pub fn one(&mut self, label: &str) -> Sent {
        let mut sent = self.sent();
        let labels: Vec<_> = sent.iter().map(Sent::label).collect();
        assert_eq!(labels, [label], "{:?}", self.node.heard);
        sent.remove(0)
    }

    /// Exactly these messages were sent since the last look.
    pub fn these<const N: usize>(&mut self, labels: [&str; N]) -> [Sent; N] {
        let sent = self.sent();
        let found: Vec<_> = sent.iter().map(Sent::label).collect();
        assert_eq!(found, labels, "{:?}", self.node.heard);
        sent.try_into().unwrap()
    }

    /// Events since the last look.
    pub fn heard(&mut self) -> Vec<Heard> {
        self.node.drain(self.now);
        let news = self.node.heard[self.told..].to_vec();
        self.told = self.node.heard.len();
        news
    }

    /// The message of the last event.
    pub fn last_message(&self) -> &str {
        self.node.messages.last().unwrap().as_deref().expect("the event has its message")
    }

    pub fn hear_from(&mut self, from: &str, text: &str) {
        self.node.receive(self.now, from.parse().unwrap(), text.as_bytes());
    }

    /// Answer a message of ours from where it was sent to.
    pub fn answer(&mut self, sent: &Sent, status: u16, tag: &str, more: &[&str], body: &str) {
        let text = sent.response(status, tag, more, body);
        self.hear_from(&sent.to.to_string(), &text);
    }

    pub fn resolve(&mut self, query: QueryId, to: &[&str]) {
        let local = US.parse().unwrap();
        let targets: Vec<_> = to.iter().map(|to| Path::udp(local, to.parse().unwrap())).collect();
        self.node.endpoint.handle(self.now, Input::Resolved { query, targets: &targets });
        self.node.drain(self.now);
    }

    pub fn register(&mut self) -> Sent {
        self.node.endpoint.register(self.now, self.account).unwrap();
        self.one("REGISTER")
    }

    /// 200 to a REGISTER with its own Contact and this life.
    pub fn grant(&mut self, register: &Sent, expires_s: u32) {
        let contact = format!("Contact: <{}>;expires={expires_s}", register.contact());
        self.answer(register, 200, "r", &[&contact], "");
    }

    pub fn media() -> LocalMedia {
        LocalMedia::new("192.0.2.1:4000".parse().unwrap())
    }

    /// Place a call to the peer itself.
    pub fn call(&mut self) -> (CallId, Sent) {
        self.call_to("sip:bob@192.0.2.20", |_| {})
    }

    pub fn call_to<'c>(
        &mut self,
        target: &'c str,
        change: impl FnOnce(&mut OutgoingCall<'c>),
    ) -> (CallId, Sent) {
        let mut call = OutgoingCall {
            account: self.account,
            target,
            media: Self::media(),
            late_offer: false,
            headers: &[],
        };
        change(&mut call);
        let call = self.node.endpoint.call(self.now, call).unwrap();
        (call, self.one("INVITE"))
    }

    /// A call that the peer took, with its INVITE and ACK.
    pub fn established(&mut self) -> (CallId, Sent, Sent) {
        let (call, invite) = self.call();
        self.answer(&invite, 200, "bob", &["Contact: <sip:bob@192.0.2.20>"], &audio());
        let ack = self.one("ACK");
        assert!(self.heard().contains(&Heard::Established(call)));
        (call, invite, ack)
    }

    pub fn branch(&mut self) -> String {
        self.branches += 1;
        format!("z9hG4bKscript{}", self.branches)
    }

    /// The INVITE of a caller.
    pub fn invite(&mut self) -> Caller {
        self.invite_with(&[], &audio())
    }

    pub fn invite_with(&mut self, more: &[&str], body: &str) -> Caller {
        let mut caller = Caller::new();
        let text = caller.request(self, "INVITE", more, body);
        caller.invite = text.clone();
        self.hear_from(PEER, &text);
        caller
    }

    /// A call from a peer that rings; what was sent and heard so far is taken.
    pub fn ringing(&mut self) -> (CallId, Caller) {
        let caller = self.invite();
        let call = match self.heard().as_slice() {
            [Heard::Incoming(call)] => *call,
            other => panic!("{other:?}"),
        };
        assert!(self.sent().is_empty());
        (call, caller)
    }

    /// A call from a peer that is up.
    pub fn answered(&mut self) -> (CallId, Caller) {
        let (call, mut caller) = self.ringing();
        self.node.endpoint.answer(self.now, call, Self::media()).unwrap();
        let ok = self.one("200 INVITE");
        caller.learn(&ok);
        let ack = caller.ack(self, "");
        self.hear_from(PEER, &ack);
        assert!(self.heard().contains(&Heard::Established(call)));
        (call, caller)
    }

    /// Nothing but accounts is left once everything lingered out.
    pub fn assert_idle(&mut self) {
        self.run_s(100);
        let usage = self.node.endpoint.usage();
        assert_eq!(usage.calls, 0, "{usage:?}");
        assert_eq!(usage.dialogs, 0, "{usage:?}");
        assert_eq!(usage.transactions, 0, "{usage:?}");
        assert_eq!(usage.buffers, 0, "{usage:?}");
    }

    pub fn ended(&self) -> Vec<Reason> {
        self.node.ended()
    }
}

/// The far end of a call, when it writes requests: as the caller, or as the callee.
#[derive(Clone, Debug)]
pub struct Caller {
    pub call_id: String,
    /// Its From value, without tag.
    pub from: String,
    pub from_tag: String,
    pub to: String,
    pub to_tag: String,
    pub target: String,
    pub cseq: u32,
    pub contact: String,
    /// The first INVITE, of a caller.
    pub invite: String,
}

impl Caller {
    pub fn new() -> Self {
        Self {
            call_id: "call@192.0.2.20".to_owned(),
            from: "<sip:bob@192.0.2.20>".to_owned(),
            from_tag: "bob".to_owned(),
            to: "<sip:alice@192.0.2.1>".to_owned(),
            to_tag: String::new(),
            target: "sip:alice@192.0.2.1".to_owned(),
            cseq: 0,
            contact: "<sip:bob@192.0.2.20>".to_owned(),
            invite: String::new(),
        }
    }

    /// The callee of a call of ours.
    pub fn of_invite(invite: &Sent, tag: &str) -> Self {
        let from = invite.header("From");
        Self {
            call_id: invite.header("Call-ID").to_owned(),
            from: invite.header("To").to_owned(),
            from_tag: tag.to_owned(),
            to: from.split(";tag=").next().unwrap().to_owned(),
            to_tag: invite.tag_of_from().to_owned(),
            target: invite.contact().to_owned(),
            cseq: 100,
            ..Self::new()
        }
    }

    /// Take tag and target from our response.
    pub fn learn(&mut self, response: &Sent) {
        self.to_tag = response.tag_of_to().expect("a To tag").to_owned();
        self.target = response.contact().to_owned();
    }

    /// A request with the next CSeq.
    pub fn request(
        &mut self,
        scene: &mut Scene,
        method: &str,
        more: &[&str],
        body: &str,
    ) -> String {
        self.cseq += 1;
        let branch = scene.branch();
        self.with_branch(&branch, method, more, body)
    }

    pub fn with_branch(&self, branch: &str, method: &str, more: &[&str], body: &str) -> String {
        let mut text = format!("{method} {} SIP/2.0\r\n", self.target);
        text += &format!("Via: SIP/2.0/UDP 192.0.2.20:5060;branch={branch};rport\r\n");
        text += "Max-Forwards: 70\r\n";
        text += &format!("From: {};tag={}\r\n", self.from, self.from_tag);
        let tag = match self.to_tag.as_str() {
            "" => String::new(),
            tag => format!(";tag={tag}"),
        };
        text += &format!("To: {}{tag}\r\n", self.to);
        text += &format!("Call-ID: {}\r\nCSeq: {} {method}\r\n", self.call_id, self.cseq);
        if matches!(method, "INVITE" | "SUBSCRIBE" | "REFER" | "UPDATE")
            && !more.iter().any(|line| line.starts_with("Contact"))
        {
            text += &format!("Contact: {}\r\n", self.contact);
        }
        finish(text, more, body)
    }

    /// The ACK for a 2xx to the last INVITE.
    pub fn ack(&self, scene: &mut Scene, body: &str) -> String {
        let branch = scene.branch();
        self.with_branch(&branch, "ACK", &[], body)
    }

    /// A request that belongs to the first INVITE's transaction: CANCEL, or the ACK of a failure.
    pub fn like_invite(&self, method: &str, to_tag: &str) -> String {
        let via = line_of(&self.invite, "Via").to_owned();
        let branch = param(&via, "branch").unwrap().to_owned();
        let mut same = self.clone();
        same.to_tag = to_tag.to_owned();
        same.target = "sip:alice@192.0.2.1".to_owned();
        same.with_branch(&branch, method, &[], "")
    }

    /// Send a request inside the dialog.
    pub fn send(&mut self, scene: &mut Scene, method: &str, more: &[&str], body: &str) {
        let text = self.request(scene, method, more, body);
        scene.hear_from(PEER, &text);
    }
}

/// The value of the first header with this name.
pub fn line_of<'t>(text: &'t str, name: &str) -> &'t str {
    let mut lines = text.split("\r\n").filter_map(|line| line.split_once(": "));
    lines.find(|(own, _)| *own == name).expect("the header is there").1
}
