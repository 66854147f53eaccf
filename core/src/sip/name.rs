//! Methods and header names.

use core::fmt;

/// A request method; compared with case (RFC 3261 s7.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each is its own name.
pub enum Method<'a> {
    Invite,
    Ack,
    Bye,
    Cancel,
    Register,
    Options,
    Info,
    Prack,
    Update,
    Refer,
    Subscribe,
    Notify,
    Message,
    Publish,
    /// Any other token.
    Other(&'a [u8]),
}

impl<'a> Method<'a> {
    /// The method of these bytes; never fails, so check an [`Method::Other`] where it matters.
    pub fn parse(bytes: &'a [u8]) -> Self {
        match bytes {
            b"INVITE" => Self::Invite,
            b"ACK" => Self::Ack,
            b"BYE" => Self::Bye,
            b"CANCEL" => Self::Cancel,
            b"REGISTER" => Self::Register,
            b"OPTIONS" => Self::Options,
            b"INFO" => Self::Info,
            b"PRACK" => Self::Prack,
            b"UPDATE" => Self::Update,
            b"REFER" => Self::Refer,
            b"SUBSCRIBE" => Self::Subscribe,
            b"NOTIFY" => Self::Notify,
            b"MESSAGE" => Self::Message,
            b"PUBLISH" => Self::Publish,
            other => Self::Other(other),
        }
    }

    /// The bytes of the method.
    pub fn as_bytes(&self) -> &'a [u8] {
        match self {
            Self::Invite => b"INVITE",
            Self::Ack => b"ACK",
            Self::Bye => b"BYE",
            Self::Cancel => b"CANCEL",
            Self::Register => b"REGISTER",
            Self::Options => b"OPTIONS",
            Self::Info => b"INFO",
            Self::Prack => b"PRACK",
            Self::Update => b"UPDATE",
            Self::Refer => b"REFER",
            Self::Subscribe => b"SUBSCRIBE",
            Self::Notify => b"NOTIFY",
            Self::Message => b"MESSAGE",
            Self::Publish => b"PUBLISH",
            Self::Other(other) => other,
        }
    }
}

impl fmt::Debug for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().escape_ascii().fmt(f)
    }
}

macro_rules! header_names {
    ($($variant:ident = $name:literal $(/ $compact:literal)?),+ $(,)?) => {
        /// The name of a header, in any case and also in its compact form.
        ///
        /// Two names are equal when they name the same header; unknown ones compare without case.
        #[derive(Clone, Copy)]
        pub enum HeaderName<'a> {
            $(
                #[doc = concat!("`", $name, "`" $(, ", compact `", $compact, "`")?)]
                $variant,
            )+
            /// A header that the library does not know, by its bytes.
            Other(&'a [u8]),
        }

        impl<'a> HeaderName<'a> {
            /// The name as the RFCs write it; an unknown one as it came.
            pub fn canonical(&self) -> &'a [u8] {
                match self {
                    $(Self::$variant => $name.as_bytes(),)+
                    Self::Other(other) => other,
                }
            }
        }

        fn compact(letter: u8) -> Option<HeaderName<'static>> {
            $($(
                if $compact.as_bytes() == [letter] {
                    return Some(HeaderName::$variant);
                }
            )?)+
            None
        }

        const KNOWN: &[(&[u8], HeaderName<'static>)] =
            &[$(($name.as_bytes(), HeaderName::$variant),)+];
    };
}

// The first of these are those that `Message` keeps an index of, in its order.
header_names! {
    Via = "Via" / "v",
    From = "From" / "f",
    To = "To" / "t",
    CallId = "Call-ID" / "i",
    CSeq = "CSeq",
    MaxForwards = "Max-Forwards",
    Contact = "Contact" / "m",
    Route = "Route",
    RecordRoute = "Record-Route",
    ContentLength = "Content-Length" / "l",
    ContentType = "Content-Type" / "c",
    Expires = "Expires",
    Supported = "Supported" / "k",
    Require = "Require",
    ContentEncoding = "Content-Encoding" / "e",
    ContentDisposition = "Content-Disposition",
    ContentLanguage = "Content-Language",
    ContentId = "Content-ID",
    MimeVersion = "MIME-Version",
    MinExpires = "Min-Expires",
    Allow = "Allow",
    AllowEvents = "Allow-Events" / "u",
    ProxyRequire = "Proxy-Require",
    Unsupported = "Unsupported",
    Accept = "Accept",
    AcceptEncoding = "Accept-Encoding",
    AcceptLanguage = "Accept-Language",
    AcceptContact = "Accept-Contact" / "a",
    RejectContact = "Reject-Contact" / "j",
    RequestDisposition = "Request-Disposition" / "d",
    WwwAuthenticate = "WWW-Authenticate",
    ProxyAuthenticate = "Proxy-Authenticate",
    Authorization = "Authorization",
    ProxyAuthorization = "Proxy-Authorization",
    AuthenticationInfo = "Authentication-Info",
    UserAgent = "User-Agent",
    Server = "Server",
    Subject = "Subject" / "s",
    Organization = "Organization",
    Priority = "Priority",
    AlertInfo = "Alert-Info",
    CallInfo = "Call-Info",
    ErrorInfo = "Error-Info",
    Event = "Event" / "o",
    SubscriptionState = "Subscription-State",
    RAck = "RAck",
    RSeq = "RSeq",
    SessionExpires = "Session-Expires" / "x",
    MinSe = "Min-SE",
    ReferTo = "Refer-To" / "r",
    ReferredBy = "Referred-By" / "b",
    ReferSub = "Refer-Sub",
    TargetDialog = "Target-Dialog",
    Replaces = "Replaces",
    Join = "Join",
    Reason = "Reason",
    RetryAfter = "Retry-After",
    Warning = "Warning",
    Date = "Date",
    Timestamp = "Timestamp",
    InReplyTo = "In-Reply-To",
    ReplyTo = "Reply-To",
    Path = "Path",
    ServiceRoute = "Service-Route",
    Diversion = "Diversion",
    HistoryInfo = "History-Info",
    PAssertedIdentity = "P-Asserted-Identity",
    PPreferredIdentity = "P-Preferred-Identity",
    PAccessNetworkInfo = "P-Access-Network-Info",
    PAssociatedUri = "P-Associated-URI",
    PCalledPartyId = "P-Called-Party-ID",
    PEarlyMedia = "P-Early-Media",
    Privacy = "Privacy",
    Identity = "Identity" / "y",
    SipEtag = "SIP-ETag",
    SipIfMatch = "SIP-If-Match",
    InfoPackage = "Info-Package",
    RecvInfo = "Recv-Info",
    FlowTimer = "Flow-Timer",
    SecurityClient = "Security-Client",
    SecurityServer = "Security-Server",
    SecurityVerify = "Security-Verify",
    SessionId = "Session-ID",
    UserToUser = "User-to-User",
    Geolocation = "Geolocation",
}

impl<'a> HeaderName<'a> {
    /// The header with this name, in any case; compact forms are expanded.
    pub fn parse(name: &'a [u8]) -> Self {
        if let [letter] = name
            && let Some(known) = compact(letter.to_ascii_lowercase())
        {
            return known;
        }
        let mut slot = hash(name);
        // The table is more than half empty, so the walk is short and always ends.
        loop {
            let index = match SLOTS.get(usize::from(slot)) {
                Some(index) if *index != 0 => usize::from(*index) - 1,
                _ => return Self::Other(name),
            };
            match KNOWN.get(index) {
                Some((known, header)) if known.eq_ignore_ascii_case(name) => return *header,
                _ => slot = slot.wrapping_add(1),
            }
        }
    }
}

impl PartialEq for HeaderName<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Other(a), Self::Other(b)) => a.eq_ignore_ascii_case(b),
            _ => core::mem::discriminant(self) == core::mem::discriminant(other),
        }
    }
}

impl Eq for HeaderName<'_> {}

impl fmt::Debug for HeaderName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.canonical().escape_ascii().fmt(f)
    }
}

impl fmt::Display for HeaderName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.canonical().escape_ascii().fmt(f)
    }
}

/// The header whose name and colon a field begins with, and where the colon stands, for the names
/// that most messages have, as most peers write them. `None` says nothing: ask
/// [`HeaderName::parse`]. This is what makes reading fast: a compare or two of whole words a line.
#[inline(always)]
pub(super) fn usual(field: &[u8]) -> Option<(HeaderName<'static>, usize)> {
    macro_rules! first_of {
        ($($prefix:literal = $variant:ident),+) => {{
            $(if field.starts_with($prefix) {
                return Some((HeaderName::$variant, $prefix.len() - 1));
            })+
            None
        }};
    }
    match field.first()? {
        b'V' => first_of!(b"Via:" = Via),
        b'F' => first_of!(b"From:" = From),
        b'T' => first_of!(b"To:" = To),
        b'M' => first_of!(b"Max-Forwards:" = MaxForwards, b"Min-SE:" = MinSe),
        b'E' => first_of!(b"Expires:" = Expires),
        b'U' => first_of!(b"User-Agent:" = UserAgent),
        b'P' => first_of!(b"P-Asserted-Identity:" = PAssertedIdentity),
        b'R' => first_of!(b"Record-Route:" = RecordRoute, b"Route:" = Route, b"Require:" = Require),
        b'S' => first_of!(
            b"Supported:" = Supported,
            b"Server:" = Server,
            b"Session-Expires:" = SessionExpires
        ),
        b'A' => {
            first_of!(b"Allow:" = Allow, b"Authorization:" = Authorization, b"Accept:" = Accept)
        }
        b'C' => first_of!(
            b"Contact:" = Contact,
            b"Call-ID:" = CallId,
            b"CSeq:" = CSeq,
            b"Content-Length:" = ContentLength,
            b"Content-Type:" = ContentType
        ),
        _ => None,
    }
}

/// Open-addressed index over `KNOWN`: position plus one, 0 when empty.
static SLOTS: [u8; 256] = slots();

// The loops run in the compiler, where a wrong index is a build error.
#[allow(clippy::indexing_slicing)]
const fn slots() -> [u8; 256] {
    assert!(KNOWN.len() < 128, "the table must stay more than half empty");
    let mut table = [0; 256];
    let mut index = 0;
    while index < KNOWN.len() {
        let mut slot = hash(KNOWN[index].0);
        while table[slot as usize] != 0 {
            slot = slot.wrapping_add(1);
        }
        index += 1;
        table[slot as usize] = index as u8;
    }
    table
}

/// Spreads names by length, first, last and one inner byte, without case.
const fn hash(name: &[u8]) -> u8 {
    let (first, last, inner) = match name {
        [first, .., inner, _, last] => (*first, *last, *inner),
        [first, .., last] => (*first, *last, 0),
        [only] => (*only, 0, 0),
        [] => (0, 0, 0),
    };
    let mixed = (name.len() as u8).wrapping_mul(29)
        ^ (first | 0x20).wrapping_mul(7)
        ^ (last | 0x20).wrapping_mul(101)
        ^ (inner | 0x20).wrapping_mul(59);
    mixed ^ (mixed >> 3)
}
