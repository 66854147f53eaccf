use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;
use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use sansip::endpoint::{Account, Command, Config, Reply};
use sansip::journal::Secrets;
use sansip::storage::Limits;
use tokio::net::ToSocketAddrs;
use tokio::sync::{Mutex, mpsc, watch};

use crate::call::Call;
use crate::clock::Clock;
use crate::driver::Driver;
use crate::error::Error;
use crate::event::Events;
use crate::line::Line;
use crate::net::{self, Net};
use crate::request::IncomingRequest;
use crate::shared::Shared;
use crate::state::{NewCall, NewRequest, Phase, RegistrationState, State};
use crate::trace::Trace;

/// How a phone is set up; the default is right for a softphone.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Timers, limits and methods of the endpoint. `local` is filled in by the phone.
    pub config: Config,
    /// How much of everything there is.
    pub limits: Limits,
    /// Our address as peers reach it, where that is another than ours, such as behind a port
    /// forwarding.
    pub advertised: Option<IpAddr>,
    /// Who carries the audio of calls.
    pub audio: Audio,
    /// Ports for RTP and RTCP; `0..=0` leaves the choice to the system.
    pub rtp_ports: RangeInclusive<u16>,
    /// How long a call may go without media from the peer; `None` for ever. 30 s unless set.
    pub media_silence: Option<Duration>,
    /// A file for the [`journal`](sansip::journal) of all that the phone's endpoint takes and gives,
    /// which `replay` of `sansip-sim` runs again bit for bit. It is overwritten, and readable by its
    /// owner only. Media is not in it. Each line is one write to the file: some microseconds.
    pub journal: Option<PathBuf>,
    /// What the journal holds of passwords; they are hidden unless set.
    pub journal_secrets: Secrets,
}

/// Who carries the audio of calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Audio {
    /// The phone: two sockets and a task for each call.
    #[default]
    Phone,
    /// Somebody else, such as a media server, at this address, which our SDP names. A call opens
    /// no socket; [`Call::plan`] and [`Event::Media`](crate::Event::Media) tell what was agreed.
    /// Playing, recording and digits are refused, and [`Settings::media_silence`] is not watched.
    Elsewhere(SocketAddr),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            config: Config::default(),
            limits: Limits { accounts: 16, ..Limits::calls(32) },
            advertised: None,
            audio: Audio::Phone,
            rtp_ports: 0..=0,
            media_silence: Some(Duration::from_secs(30)),
            journal: None,
            journal_secrets: Secrets::Hidden,
        }
    }
}

/// A SIP phone: one UDP socket, its accounts ([`Line`]) and its [`Call`]s.
///
/// A clone is the same phone. When the last handle of a phone, its lines and calls is dropped, it
/// says good-bye in the background as well as it can; [`Phone::shutdown`] does so and waits.
#[derive(Clone)]
pub struct Phone(Arc<Handle>);

/// What all handles of a phone hold; its end ends the driver.
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    incoming: Mutex<mpsc::Receiver<NewCall>>,
    requests: Mutex<mpsc::Receiver<NewRequest>>,
    local: SocketAddr,
}

impl Phone {
    /// Binds a phone to a UDP address, such as `0.0.0.0:5060`; port 0 takes any. A wildcard
    /// address is advertised to each peer as the address that it reaches.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(address: impl ToSocketAddrs) -> Result<Self, Error> {
        Self::bind_with(address, Settings::default()).await
    }

    /// As [`Phone::bind`], with settings.
    ///
    /// # Errors
    /// As [`Phone::bind`].
    pub async fn bind_with(address: impl ToSocketAddrs, settings: Settings) -> Result<Self, Error> {
        let mut failure = Error::UnknownHost;
        for address in tokio::net::lookup_host(address).await? {
            match net::bind_sip(address) {
                Ok(socket) => return Self::start(socket, settings),
                Err(error) => failure = error.into(),
            }
        }
        Err(failure)
    }

    fn start(socket: tokio::net::UdpSocket, settings: Settings) -> Result<Self, Error> {
        let local = socket.local_addr()?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| Error::Io(std::io::ErrorKind::Other))?;
        let net = Net::new(local, settings.advertised);
        // Without a fixed address every destination passes the resolver, which knows ours.
        let config = Config { local: net.only_address(), ..settings.config };
        let endpoint = crate::journal::endpoint(config, seed, &settings)?;
        let (new_calls, incoming) = mpsc::channel(settings.limits.calls.max(1));
        let (new_requests, requests) = mpsc::channel(REQUESTS_MAX);
        let udp = Arc::new(socket);
        let shared = Arc::new(Shared::new(
            State::new(endpoint, Arc::clone(&udp), new_calls, new_requests),
            Clock::new(),
            net,
            settings.audio,
            settings.rtp_ports,
            settings.media_silence.map(Into::into),
        ));
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(Driver::new(Arc::clone(&shared), udp, stopped).run());
        let (incoming, requests) = (Mutex::new(incoming), Mutex::new(requests));
        Ok(Self(Arc::new(Handle { shared, stop, incoming, requests, local })))
    }

    /// The bound address, perhaps a wildcard.
    pub fn local_address(&self) -> SocketAddr {
        self.0.local
    }

    /// Adds an account from its address and password; nothing is sent yet.
    ///
    /// `identity` is `sip:USER@HOST` or `sip:USER@HOST:PORT`; host and port name the registrar.
    ///
    /// # Errors
    /// The address is none, or there are too many accounts.
    pub fn line(&self, identity: &str, password: &str) -> Result<Line, Error> {
        let (identity, registrar) = crate::line::split(identity)?;
        self.add_line(Account {
            identity: &identity,
            registrar: &registrar,
            password,
            user_agent: USER_AGENT,
            ..Account::default()
        })
    }

    /// Adds an account; nothing is sent yet.
    ///
    /// # Errors
    /// A text is not what it should be, or there are too many accounts.
    pub fn add_line(&self, account: Account<'_>) -> Result<Line, Error> {
        let (sender, status) = watch::channel(Default::default());
        let server = crate::line::server(&account);
        let reply = self.0.shared.command_with(Command::AddAccount(account), |state, reply| {
            if let Reply::Account(account) = reply {
                state.lines.insert(account, sender);
            }
        })?;
        match reply {
            Reply::Account(id) => Ok(Line::new(Arc::clone(&self.0), id, status, server)),
            _ => Err(Error::Closed),
        }
    }

    /// The next incoming call, `None` after the phone was shut down.
    ///
    /// Calls that nobody takes wait for [`Config::answer_limit`]. As many as the phone may have calls
    /// can wait, those that ended meanwhile included; further ones are answered with 486.
    pub async fn incoming(&self) -> Option<Call> {
        loop {
            let new = self.0.incoming.lock().await.recv().await?;
            if !matches!(new.status.borrow().phase, Phase::Ended(_)) {
                return Some(Call::incoming(Arc::clone(&self.0), new));
            }
        }
    }

    /// The next request, inside a call or outside, whose method is in [`Config::methods`]. `None`
    /// after the phone was shut down.
    pub async fn incoming_request(&self) -> Option<IncomingRequest> {
        let new = self.0.requests.lock().await.recv().await?;
        Some(IncomingRequest::new(Arc::clone(&self.0), new))
    }

    /// Everything that happens from now on, as a stream; any number may be open.
    pub fn events(&self) -> Events {
        self.0.shared.lock().listeners.add()
    }

    /// Shows every message from now on to a sink; see [`trace`](crate::trace).
    pub fn trace(&self, sink: impl Trace + 'static) {
        self.0.shared.add_trace(Box::new(sink));
    }

    /// Counters of the endpoint.
    pub fn stats(&self) -> sansip::endpoint::Stats {
        *self.0.shared.lock().endpoint.stats()
    }

    /// Hangs up all calls, removes our bindings and stops, within [`GOODBYE_LIMIT`] also where
    /// nobody answers. Every handle answers [`Error::Closed`] then.
    pub async fn shutdown(&self) {
        say_goodbye(&self.0.shared).await;
        let _ = self.0.stop.send(true);
        self.0.stop.closed().await;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let (shared, stop) = (Arc::clone(&self.shared), self.stop.clone());
        // Outside a runtime the driver is gone or going, and nothing more can be said.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                say_goodbye(&shared).await;
                let _ = stop.send(true);
            });
        }
    }
}

/// Ends calls and registrations and waits until the peers agree, for a while.
async fn say_goodbye(shared: &Shared) {
    let (calls, lines) = {
        let state = shared.lock();
        let calls: Vec<_> = state.calls.keys().copied().collect();
        let wanted = state.lines.iter().filter(|(_, line)| line.borrow().wanted);
        (calls, wanted.map(|(line, _)| *line).collect::<Vec<_>>())
    };
    for call in calls {
        let _ = shared.command(Command::HangUp(call));
    }
    for line in lines {
        let _ = shared.command(Command::Unregister(line));
    }
    let answered = async {
        while is_busy(shared) {
            tokio::time::sleep(POLL).await;
        }
    };
    let _ = tokio::time::timeout(GOODBYE_LIMIT, answered).await;
}

fn is_busy(shared: &Shared) -> bool {
    let state = shared.lock();
    let registered = |line: &watch::Sender<crate::state::Registration>| {
        line.borrow().state == RegistrationState::Registered
    };
    !state.closed && (state.endpoint.usage().calls > 0 || state.lines.values().any(registered))
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phone").field("local", &self.0.local).finish_non_exhaustive()
    }
}

/// How long [`Phone::shutdown`] waits for peers: two retransmissions of a lost BYE.
pub const GOODBYE_LIMIT: Duration = Duration::from_secs(2);
/// How often the end of calls and registrations is looked at; only while shutting down.
const POLL: Duration = Duration::from_millis(5);
/// Requests that wait to be taken; a peer's further ones are answered 500 after a while.
const REQUESTS_MAX: usize = 64;
const USER_AGENT: &str = concat!("sansip/", env!("CARGO_PKG_VERSION"));
