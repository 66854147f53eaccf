//! A simulated phone: the library's two machines, and what a user sees and does.
//!
//! `operation` lists what a user does and is told, `talk` is one call with its sound, `app` what
//! stands between the endpoint and the user.

mod app;
mod operation;
mod talk;

use core::net::SocketAddr;

use sansip::endpoint::{
    Account, AccountId, CallId, Command, Config, Endpoint, Error, Methods, OutgoingCall,
    OutgoingRequest, Reply,
};
use sansip::journal::{Recorded, Secrets, Setup};
use sansip::sdp::LocalMedia;
use sansip::storage::{Limits, Storage};
use sansip::time::{Duration, Instant};

use crate::journal::JournalText;

pub use operation::{Operation, Told};
pub use talk::Talk;

use app::{App, FIRST_MEDIA_PORT};
pub(crate) use talk::MediaPacket;

/// How a phone is set up.
#[derive(Clone, Debug)]
pub struct PhoneOptions {
    /// User part of its address, such as `100`.
    pub user: String,
    /// Password at its server.
    pub password: String,
    /// Its server; without one it is called and calls by address.
    pub server: Option<SocketAddr>,
    /// The name of its server, which it looks up; its address is used where empty.
    pub server_name: String,
    /// The realm that gets its credentials; that of the first challenge where empty.
    pub realm: String,
    /// Whether all requests go to the server first.
    pub through_server: bool,
    /// Life of a registration that it asks for, seconds.
    pub expires_s: u32,
    /// Its memory.
    pub limits: Limits,
    /// Whether it sends and hears sound; else only signalling runs, which is much faster.
    pub media: bool,
    /// Longest time that an incoming call waits for its user.
    pub answer_limit: Duration,
    /// Longest time that it lets another phone ring.
    pub ring_limit: Duration,
}

impl PhoneOptions {
    /// A phone without a server: room for four calls, with sound.
    pub fn new(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: String::new(),
            server: None,
            server_name: String::new(),
            realm: String::new(),
            through_server: false,
            expires_s: 300,
            limits: Limits::calls(4),
            media: true,
            answer_limit: Duration::from_secs(180),
            ring_limit: Duration::from_secs(180),
        }
    }

    /// A phone that registers at a server and calls through it.
    pub fn registered(user: &str, password: &str, server: SocketAddr) -> Self {
        Self {
            password: password.to_owned(),
            server: Some(server),
            through_server: true,
            ..Self::new(user)
        }
    }
}

/// A phone.
pub struct Phone {
    pub(crate) endpoint: Recorded<'static, JournalText>,
    pub(crate) app: App,
    options: PhoneOptions,
    account: Option<AccountId>,
    address: SocketAddr,
}

impl Phone {
    pub(crate) fn new(
        now: Instant,
        options: PhoneOptions,
        address: SocketAddr,
        mut seeds: crate::random::Random,
        journal: Option<JournalText>,
    ) -> Self {
        let config = Config {
            local: Some(address),
            methods: Methods::MESSAGE,
            answer_limit: options.answer_limit,
            ring_limit: options.ring_limit,
            ..Config::default()
        };
        let (seed, limits) = (seeds.seed(), options.limits);
        let mut endpoint = match journal {
            Some(text) => {
                let setup = Setup { config, seed, limits, secrets: Secrets::Kept, build: BUILD };
                Recorded::begin(&setup, text)
            }
            None => Recorded::plain(Endpoint::new(config, seed, Storage::heap(limits))),
        };
        let host = match (options.server_name.as_str(), options.server) {
            ("", server) => server.unwrap_or(address).to_string(),
            (name, _) => name.to_owned(),
        };
        let server = options.server.map(|_| format!("sip:{host}")).unwrap_or_default();
        let identity = format!("sip:{}@{host}", options.user);
        let account = Account {
            identity: &identity,
            registrar: &server,
            outbound_proxy: if options.through_server { &server } else { "" },
            password: &options.password,
            realm: &options.realm,
            expires_s: options.expires_s,
            ..Account::default()
        };
        let account = match endpoint.command(now, Command::AddAccount(account)) {
            Ok(Reply::Account(account)) => Some(account),
            _ => None,
        };
        let app = App {
            talks: Vec::new(),
            registered: false,
            media: options.media,
            seeds,
            local: address,
            next_port: FIRST_MEDIA_PORT,
        };
        Self { endpoint, app, options, account, address }
    }

    /// Where it receives SIP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it was set up.
    pub fn options(&self) -> &PhoneOptions {
        &self.options
    }

    /// All its calls, the newest last, those that have ended too.
    pub fn calls(&self) -> &[Talk] {
        &self.app.talks
    }

    /// One of its calls.
    pub fn call(&self, call: CallId) -> Option<&Talk> {
        self.app.talks.iter().find(|talk| talk.call == call)
    }

    /// Whether it was told that it is registered, and not since that it is not.
    pub fn is_registered(&self) -> bool {
        self.app.registered
    }

    /// Its endpoint, to look at.
    pub fn endpoint(&self) -> &Endpoint<'static> {
        &self.endpoint
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let talks = self.app.talks.iter();
        let ticks = talks.filter(|talk| talk.session.is_some()).map(|talk| talk.next_tick);
        ticks.chain(self.endpoint.poll_timeout()).min()
    }

    /// Whether a user may let this phone wait for ever: no call is being set up.
    pub(crate) fn has_unsettled_call(&self) -> bool {
        self.app.talks.iter().any(|talk| !talk.established && talk.ended.is_none())
    }

    pub(crate) fn perform(&mut self, now: Instant, operation: &Operation) -> Result<Reply, Error> {
        let account = self.account.ok_or(Error::Gone)?;
        match operation {
            Operation::Digits(call, digits) => return self.app.press(*call, digits),
            Operation::Mute(call, muted) => {
                let session = self.app.session(*call).ok_or(Error::Gone)?;
                session.mute(*muted);
                return Ok(Reply::Done);
            }
            Operation::Call { target, late_offer } => {
                return self.place(now, account, target, *late_offer);
            }
            _ => {}
        }
        let media = self.app.media_of(operation);
        let command = match operation {
            Operation::Register => Command::Register(account),
            Operation::Unregister => Command::Unregister(account),
            Operation::Query => Command::QueryBindings(account),
            Operation::Ring(call) => {
                Command::Progress { call: *call, status: 180, media: None, headers: &[] }
            }
            Operation::EarlyMedia(call) => {
                Command::Progress { call: *call, status: 183, media, headers: &[] }
            }
            Operation::Answer(call) => {
                Command::Answer { call: *call, media: media.ok_or(Error::Gone)?, headers: &[] }
            }
            Operation::Reject(call, status) => {
                Command::Reject { call: *call, status: *status, headers: &[] }
            }
            Operation::HangUp(call) => Command::HangUp(*call),
            Operation::Hold(call) => Command::Hold(*call),
            Operation::Resume(call) => Command::Resume(*call),
            Operation::Silent(call) => Command::MediaSilent(*call),
            Operation::Request { method, target } => Command::Request(OutgoingRequest {
                account,
                method,
                target,
                headers: &[],
                body: None,
            }),
            Operation::Call { .. } | Operation::Digits(..) | Operation::Mute(..) => {
                return Err(Error::State);
            }
        };
        let outcome = self.endpoint.command(now, command)?;
        match operation {
            Operation::Hold(call) => self.app.set_holding(*call, true),
            Operation::Resume(call) => self.app.set_holding(*call, false),
            _ => {}
        }
        Ok(outcome)
    }

    fn place(
        &mut self,
        now: Instant,
        account: AccountId,
        target: &str,
        late_offer: bool,
    ) -> Result<Reply, Error> {
        let port = self.app.new_port();
        let media = LocalMedia::new(SocketAddr::new(self.address.ip(), port));
        let outgoing = OutgoingCall { account, target, media, late_offer, headers: &[] };
        let reply = self.endpoint.command(now, Command::Call(outgoing))?;
        if let Reply::Call(call) = reply {
            self.app.open(now, call, true, port);
            self.name_call(call);
        }
        Ok(reply)
    }

    /// Notes a new call's Call-ID.
    pub(crate) fn name_call(&mut self, call: CallId) {
        let name = self.endpoint.view(call).map(|view| view.call_id);
        let name = name.map(|name| String::from_utf8_lossy(name).into_owned());
        if let (Some(talk), Some(name)) = (self.app.talk(call), name) {
            talk.call_id = name;
        }
    }
}

const BUILD: &str = concat!("sansip-sim ", env!("CARGO_PKG_VERSION"));
