//! Methods and header names.

use core::fmt;

/// A request method; compared with case (RFC 3261 s7.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each is its own name.
#[repr(u32)] // A discriminant of one byte leaves the others to be moved one by one.
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
    // the frequent ones first
    const KNOWN: [Self; 14] = [
        Self::Invite,
        Self::Ack,
        Self::Bye,
        Self::Cancel,
        Self::Register,
        Self::Options,
        Self::Info,
        Self::Prack,
        Self::Update,
        Self::Refer,
        Self::Subscribe,
        Self::Notify,
        Self::Message,
        Self::Publish,
    ];

    /// The method of these bytes; never fails, so check an [`Method::Other`] where it matters.
    pub fn parse(bytes: &'a [u8]) -> Self {
        let known = Self::KNOWN.iter().find(|method| method.as_bytes() == bytes);
        known.copied().unwrap_or(Self::Other(bytes))
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
        #[repr(u32)] // A discriminant of one byte leaves the others to be moved one by one.
        pub enum HeaderName<'a> {
            $(
                #[doc = concat!("`", $name, "`" $(, ", compact `", $compact, "`")?)]
                $variant,
            )+
            /// A header that the library does not know, by its bytes.
            Other(&'a [u8]),
        }

        /// The names that the library knows, in their order.
        #[derive(Clone, Copy)]
        enum Known {
            $($variant,)+
        }

        impl<'a> HeaderName<'a> {
            /// The place of a known name in their order; [`UNKNOWN`] for any other.
            pub(super) const fn index(&self) -> u8 {
                match self {
                    $(Self::$variant => Known::$variant as u8,)+
                    Self::Other(_) => UNKNOWN,
                }
            }

            /// The name at a place, or the bytes of an unknown one.
            pub(super) fn at(index: u8, bytes: &'a [u8]) -> Self {
                $(if index == Known::$variant as u8 {
                    return Self::$variant;
                })+
                Self::Other(bytes)
            }
        }

        /// All known names one behind the other: a table of slices would take twice the flash.
        static TEXT: &str = concat!($($name),+);
        const LENGTHS: &[usize] = &[$($name.len()),+];
        const COMPACT_OF: &[&str] = &[$(concat!($($compact)?)),+];
    };
}

/// The place of a name that the library does not know.
pub(super) const UNKNOWN: u8 = u8::MAX;
/// How many names the library knows.
const KNOWN: usize = LENGTHS.len();

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
    Accept = "Accept",
    WwwAuthenticate = "WWW-Authenticate",
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
    AcceptEncoding = "Accept-Encoding",
    AcceptLanguage = "Accept-Language",
    AcceptContact = "Accept-Contact" / "a",
    RejectContact = "Reject-Contact" / "j",
    RequestDisposition = "Request-Disposition" / "d",
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
        Self::at(index_of(name), name)
    }

    /// The name as the RFCs write it; an unknown one as it came.
    pub fn canonical(&self) -> &'a [u8] {
        match self {
            Self::Other(other) => other,
            known => known_name(known.index()),
        }
    }
}

/// The place of this name in their order.
pub(super) fn index_of(name: &[u8]) -> u8 {
    if let [letter] = name {
        let place = (letter | 0x20).wrapping_sub(b'a');
        return match COMPACT.get(usize::from(place)) {
            Some(index) if letter.is_ascii_alphabetic() => *index,
            _ => UNKNOWN,
        };
    }
    let mut slot = hash(name);
    // Enough of the table is empty that the walk is short and always ends.
    loop {
        match SLOTS.get(usize::from(slot)) {
            Some(index) if *index != UNKNOWN => {
                if same(known_name(*index), name) {
                    return *index;
                }
            }
            _ => return UNKNOWN,
        }
        slot = after(slot);
    }
}

/// `eq_ignore_ascii_case`, but quick where the case is the same.
fn same(ours: &[u8], theirs: &[u8]) -> bool {
    let alike = |(a, b): (&u8, &u8)| a == b || (a ^ b == 0x20 && a.is_ascii_alphabetic());
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(alike)
}

fn known_name(index: u8) -> &'static [u8] {
    let index = usize::from(index);
    let start = STARTS.get(index).map_or(0, |start| usize::from(*start));
    let end = STARTS.get(index + 1).map_or(0, |end| usize::from(*end));
    TEXT.as_bytes().get(start..end).unwrap_or_default()
}

impl PartialEq for HeaderName<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Other(a), Self::Other(b)) => a.eq_ignore_ascii_case(b),
            _ => self.index() == other.index(),
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

/// The place of the header whose name and colon a field begins with, and where the colon stands, for
/// the names that most messages have, as most peers write them. `None` says nothing: ask
/// [`index_of`]. This is what makes reading fast: a compare or two of whole words a line.
#[inline(always)]
pub(super) fn usual(field: &[u8]) -> Option<(u8, usize)> {
    macro_rules! first_of {
        ($($prefix:literal = $variant:ident),* $(; $($rare:literal = $name:ident),+)?) => {{
            $(if starts(field, $prefix) {
                return Some((Known::$variant as u8, $prefix.len() - 1));
            })*
            $($(if begins(field, $rare, Known::$name) {
                return Some((Known::$name as u8, $rare.len() - 1));
            })+)?
            None
        }};
    }
    // behind the semicolons those that not every message has
    match field.first()? {
        b'V' => first_of!(b"Via:" = Via),
        b'F' => first_of!(b"From:" = From),
        b'T' => first_of!(b"To:" = To),
        b'M' => first_of!(; b"Max-Forwards:" = MaxForwards, b"Min-SE:" = MinSe),
        b'C' => first_of!(
            b"Call-ID:" = CallId,
            b"CSeq:" = CSeq,
            b"Content-Length:" = ContentLength;
            b"Contact:" = Contact,
            b"Content-Type:" = ContentType
        ),
        b'R' => {
            first_of!(; b"Record-Route:" = RecordRoute, b"Route:" = Route, b"Require:" = Require)
        }
        b'A' => {
            first_of!(; b"Allow:" = Allow, b"Authorization:" = Authorization, b"Accept:" = Accept)
        }
        b'S' => first_of!(;
            b"Supported:" = Supported,
            b"Server:" = Server,
            b"Session-Expires:" = SessionExpires
        ),
        b'U' => first_of!(; b"User-Agent:" = UserAgent),
        b'E' => first_of!(; b"Expires:" = Expires),
        // One byte more than two words hold.
        b'W' if field.get(16) == Some(&b':') && starts(field, b"WWW-Authenticate") => {
            Some((Known::WwwAuthenticate as u8, 16))
        }
        _ => None,
    }
}

/// Whether a field begins so, which is a known name and its colon.
#[inline(always)]
fn begins<const N: usize>(field: &[u8], prefix: &[u8; N], known: Known) -> bool {
    // Words inline cost some 60 bytes a name where flash is small.
    if cfg!(target_os = "none") { has_name(field, known as u8) } else { starts(field, prefix) }
}

#[inline(never)]
fn has_name(field: &[u8], index: u8) -> bool {
    let name = known_name(index);
    field.get(name.len()) == Some(&b':') && field.starts_with(name)
}

/// Whether a field begins so, by comparing two words that may overlap.
#[inline(always)]
pub(super) fn starts<const N: usize>(field: &[u8], prefix: &[u8; N]) -> bool {
    const { assert!(N <= 16, "two words hold no more") };
    let Some(start) = field.first_chunk::<N>() else { return false };
    match N {
        8.. => long_words(start) == long_words(prefix),
        4.. => words(start) == words(prefix),
        _ => start == prefix,
    }
}

#[inline(always)]
fn long_words(text: &[u8]) -> Option<(u64, u64)> {
    let (first, last) = (text.first_chunk()?, text.last_chunk()?);
    Some((u64::from_le_bytes(*first), u64::from_le_bytes(*last)))
}

#[inline(always)]
fn words(text: &[u8]) -> Option<(u32, u32)> {
    let (first, last) = (text.first_chunk()?, text.last_chunk()?);
    Some((u32::from_le_bytes(*first), u32::from_le_bytes(*last)))
}

/// Where each known name begins in [`TEXT`], and where the last one ends.
static STARTS: [u16; KNOWN + 1] = starts_table();

// The loops of these run in the compiler, where a wrong index is a build error.
#[allow(clippy::indexing_slicing)]
const fn starts_table() -> [u16; KNOWN + 1] {
    let mut starts = [0; KNOWN + 1];
    let mut index = 0;
    while index < KNOWN {
        starts[index + 1] = starts[index] + LENGTHS[index] as u16;
        index += 1;
    }
    starts
}

/// The names of the letters from a to z.
static COMPACT: [u8; 26] = compact_table();

#[allow(clippy::indexing_slicing)]
const fn compact_table() -> [u8; 26] {
    let mut table = [UNKNOWN; 26];
    let mut index = 0;
    while index < KNOWN {
        if let [letter] = COMPACT_OF[index].as_bytes() {
            table[(*letter - b'a') as usize] = index as u8;
        }
        index += 1;
    }
    table
}

/// Open-addressed index over the known names.
static SLOTS: [u8; PLACES] = slots();
const PLACES: usize = 128;

#[allow(clippy::indexing_slicing)]
const fn slots() -> [u8; PLACES] {
    const { assert!(10 * KNOWN < 7 * PLACES, "enough of the table must stay empty") };
    let mut table = [UNKNOWN; PLACES];
    let mut index = 0;
    while index < KNOWN {
        let start = STARTS[index] as usize;
        let (_, from) = TEXT.as_bytes().split_at(start);
        let (name, _) = from.split_at(LENGTHS[index]);
        let mut slot = hash(name);
        while table[slot as usize] != UNKNOWN {
            slot = after(slot);
        }
        table[slot as usize] = index as u8;
        index += 1;
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
    (mixed ^ (mixed >> 3)) % PLACES as u8
}

const fn after(slot: u8) -> u8 {
    (slot + 1) % PLACES as u8
}
