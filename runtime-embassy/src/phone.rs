use core::net::SocketAddr;
use core::time::Duration;

use embassy_net::Stack;
use embassy_net::udp::PacketMetadata;
use embassy_time::with_timeout;
use sansip::endpoint::{Account, Command, Config, Endpoint, Reply};
use sansip::random::{Purpose, Random};

use crate::call::Call;
use crate::error::Error;
use crate::line::{self, Line};
use crate::request::IncomingRequest;
use crate::resources::Resources;
use crate::runner::Runner;
use crate::settings::Settings;
use crate::sockets::Sockets;
use crate::state::{LineEntry, Phase, Shared, State};

/// A SIP phone: one UDP socket for SIP, its accounts ([`Line`]) and its [`Call`]s.
///
/// A copy is the same phone.
#[derive(Clone, Copy)]
pub struct Phone<'d>(pub(crate) &'d Shared<'d>);

impl<'d> Phone<'d> {
    /// Binds a phone to a network stack. Nothing happens until the [`Runner`] runs; while the
    /// stack has no address, everything waits for it.
    ///
    /// `entropy` must differ at each boot: see the [crate](crate).
    ///
    /// # Panics
    /// In embassy-net, if the stack has no room for `1 + 2 * CALLS` more sockets.
    pub fn bind<
        const ACCOUNTS: usize,
        const CALLS: usize,
        const DIALOGS: usize,
        const TRANSACTIONS: usize,
        const BUFFERS: usize,
        const TEXT: usize,
        const MESSAGE: usize,
    >(
        stack: Stack<'d>,
        resources: &'d mut Resources<
            'd,
            ACCOUNTS,
            CALLS,
            DIALOGS,
            TRANSACTIONS,
            BUFFERS,
            TEXT,
            MESSAGE,
        >,
        settings: Settings,
        entropy: [u8; 32],
    ) -> (Self, Runner<'d>) {
        let mut random = Random::new(entropy);
        let seed = random.bytes(Purpose::Key);
        // Without a fixed address every destination passes the lookup, which knows ours.
        let config = Config { local: None, ..settings.config };
        let endpoint = Endpoint::new(config, seed, resources.memory.storage());
        let (lines, calls) = (&mut resources.lines, &mut resources.calls);
        let state = State::new(endpoint, lines, calls, settings, random);
        let shared = resources.shared.write(Shared::new(state));
        let metas = resources.sip_metas.write([PacketMetadata::EMPTY; _]);
        let (bytes_in, bytes_out) = (&mut resources.sip_in, &mut resources.sip_out);
        let mut sockets = Sockets::new(stack, settings.sip_port, metas, bytes_in, bytes_out);
        let places = resources.media_metas.iter_mut().zip(&mut resources.media_buffers);
        for ((metas, buffers), place) in places.zip(0..) {
            let port = settings.rtp_port.wrapping_add(2 * place);
            sockets.add(stack, port, metas.write([PacketMetadata::EMPTY; _]), buffers);
        }
        (Self(shared), Runner::new(stack, shared, sockets))
    }

    /// Adds an account from its address and password; nothing is sent yet.
    ///
    /// `identity` is `sip:USER@HOST` or `sip:USER@HOST:PORT`; host and port name the registrar.
    ///
    /// # Errors
    /// The address is none, or there are too many accounts.
    pub fn line(&self, identity: &str, password: &str) -> Result<Line<'d>, Error> {
        let (identity, registrar) = line::split(identity)?;
        self.add_line(Account {
            identity,
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
    pub fn add_line(&self, account: Account<'_>) -> Result<Line<'d>, Error> {
        let mut state = self.0.step()?;
        match state.command(Command::AddAccount(account))? {
            Reply::Account(id) => {
                if let Some(line) = state.lines.iter_mut().find(|line| line.id.is_none()) {
                    *line = LineEntry { id: Some(id), ..LineEntry::idle() };
                }
                Ok(Line::new(*self, id))
            }
            _ => Err(Error::Closed),
        }
    }

    /// The next incoming call, `None` after the phone was shut down.
    ///
    /// Calls that nobody takes wait for [`Config::answer_limit`]; beyond the places for calls they
    /// are answered with 486. Calls that ended while they waited are skipped.
    pub async fn incoming(&self) -> Option<Call<'d>> {
        let (place, id) = self
            .0
            .wait(|state| {
                if state.closed {
                    return Some(None);
                }
                let mut places = state.calls.iter_mut().enumerate();
                places.find_map(|(place, call)| {
                    let id = call.id.filter(|_| call.is_new)?;
                    call.is_new = false;
                    if matches!(call.phase, Phase::Ended(_)) {
                        call.release();
                        return None;
                    }
                    call.is_held = true;
                    Some(Some((place, id)))
                })
            })
            .await?;
        Some(Call::new(*self, place, id))
    }

    /// The next request, inside a call or outside, whose method is in [`Config::methods`]. `None`
    /// after the phone was shut down.
    pub async fn incoming_request(&self) -> Option<IncomingRequest<'d>> {
        let next = self.0.wait(|state| match state.requests.new.pop_front() {
            None if !state.closed => None,
            next => Some(next),
        });
        Some(IncomingRequest::new(*self, next.await?))
    }

    /// Where peers reach us with SIP, `None` while the network is down.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.0.step().ok()?.local()
    }

    /// Whether the network is up, so that something can be sent.
    pub fn is_online(&self) -> bool {
        self.0.step().is_ok_and(|state| state.address.is_some())
    }

    /// Counters of the endpoint.
    ///
    /// # Errors
    /// [`Error::Busy`].
    pub fn stats(&self) -> Result<sansip::endpoint::Stats, Error> {
        Ok(*self.0.step()?.endpoint.stats())
    }

    /// Hangs up all calls, removes our bindings and stops, within [`GOODBYE_LIMIT`] also where
    /// nobody answers. Every handle answers [`Error::Closed`] then.
    pub async fn shutdown(&self) {
        self.say_goodbye();
        let over = self.0.wait(|state| {
            let registered = state.lines.iter().any(|line| line.registered);
            (!registered && state.endpoint.usage().calls == 0).then_some(())
        });
        let _ = with_timeout(GOODBYE, over).await;
        if let Ok(mut state) = self.0.step() {
            state.closed = true;
            state.waiters.wake();
        }
    }

    fn say_goodbye(&self) {
        let Ok(mut state) = self.0.step() else { return };
        for place in 0..state.calls.len() {
            let id = state.calls.get(place).and_then(|call| call.id);
            let _ = id.map(|id| state.hang_up(id));
        }
        for place in 0..state.lines.len() {
            let line = state.lines.get_mut(place).filter(|line| line.wanted);
            let id = line.and_then(|line| {
                line.wanted = false;
                line.id
            });
            let _ = id.map(|id| state.command(Command::Unregister(id)));
        }
    }
}

/// How long [`Phone::shutdown`] waits for peers: two retransmissions of a lost BYE.
pub const GOODBYE_LIMIT: Duration = Duration::from_secs(2);
const GOODBYE: embassy_time::Duration =
    embassy_time::Duration::from_millis(GOODBYE_LIMIT.as_millis() as u64);
const USER_AGENT: &str = concat!("sansip/", env!("CARGO_PKG_VERSION"));
