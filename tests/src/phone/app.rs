//! What stands between the endpoint and the user: carries out what events say, runs the sound.

use core::net::SocketAddr;

use sansip::endpoint::{CallId, Error, Event, Reply, Stage};
use sansip::limits::DIGIT_DURATION_MS;
use sansip::media::Session;
use sansip::sdp::{LocalMedia, MediaPlan};
use sansip::time::{Duration, Instant};

use super::operation::{Operation, Told};
use super::talk::{MediaPacket, Talk};

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) talks: Vec<Talk>,
    pub(crate) registered: bool,
    pub(super) media: bool,
    pub(super) seeds: crate::random::Random,
    pub(super) local: SocketAddr,
    pub(super) next_port: u16,
}

impl App {
    pub(super) fn talk(&mut self, call: CallId) -> Option<&mut Talk> {
        self.talks.iter_mut().rev().find(|talk| talk.call == call)
    }

    pub(super) fn session(&mut self, call: CallId) -> Option<&mut Session> {
        self.talk(call)?.session.as_deref_mut()
    }

    pub(super) fn new_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = if port >= LAST_MEDIA_PORT { FIRST_MEDIA_PORT } else { port + 2 };
        port
    }

    pub(super) fn open(&mut self, now: Instant, call: CallId, outgoing: bool, port: u16) {
        self.talks.push(Talk {
            call,
            outgoing,
            established: false,
            ended: None,
            ended_at: None,
            plan: None,
            holding: false,
            digits: String::new(),
            digits_sent: String::new(),
            loudness: 0,
            call_id: String::new(),
            port,
            opened_at: now,
            session: None,
            next_tick: Instant::FAR,
            phase: 0,
        });
    }

    pub(super) fn media_of(&mut self, operation: &Operation) -> Option<LocalMedia> {
        let (Operation::Answer(call) | Operation::EarlyMedia(call)) = operation else {
            return None;
        };
        let ip = self.local.ip();
        let port = self.talk(*call)?.port;
        Some(LocalMedia::new(SocketAddr::new(ip, port)))
    }

    pub(super) fn set_holding(&mut self, call: CallId, holding: bool) {
        if let Some(talk) = self.talk(call) {
            talk.holding = holding;
        }
    }

    pub(super) fn press(&mut self, call: CallId, digits: &str) -> Result<Reply, Error> {
        let talk = self.talk(call).ok_or(Error::Gone)?;
        let session = talk.session.as_mut().ok_or(Error::State)?;
        let duration = Duration::from_millis(DIGIT_DURATION_MS);
        session.send_digits(digits, duration).map_err(|_| Error::NoRoom)?;
        talk.digits_sent.push_str(digits);
        Ok(Reply::Done)
    }

    /// Carries out what an event says, and keeps what the user is told.
    pub(crate) fn take(&mut self, now: Instant, event: &Event<'_>) -> Option<Told> {
        Some(match *event {
            Event::Registered { expires_s, .. } => {
                self.registered = true;
                Told::Registered { expires_s }
            }
            Event::RegistrationFailed { reason, retry_s, .. } => {
                self.registered = false;
                Told::RegistrationFailed { reason, retry_s }
            }
            Event::Unregistered { .. } => {
                self.registered = false;
                Told::Unregistered
            }
            Event::Bindings { outcome, message, .. } => Told::Bindings {
                known: outcome.is_ok(),
                contacts: message
                    .filter(|_| outcome.is_ok())
                    .map(|message| contacts(message.bytes()))
                    .unwrap_or_default(),
            },
            Event::Incoming { call, .. } => {
                let port = self.new_port();
                self.open(now, call, false, port);
                Told::Incoming { call }
            }
            Event::Progress { call, status, .. } => Told::Progress { call, status },
            Event::Media { call, stage, plan, .. } => {
                self.start_media(now, call, stage, &plan);
                Told::Media { call, stage, plan }
            }
            Event::Established { call, .. } => {
                if let Some(talk) = self.talk(call) {
                    talk.established = true;
                }
                Told::Established { call }
            }
            Event::HoldFailed { call, reason } => {
                if let Some(talk) = self.talk(call) {
                    talk.holding = !talk.holding;
                }
                Told::HoldFailed { call, reason }
            }
            Event::Ended { call, reason, .. } => {
                if let Some(talk) = self.talk(call) {
                    talk.ended = Some(reason);
                    talk.ended_at = Some(now);
                    talk.session = None;
                    talk.next_tick = Instant::FAR;
                }
                Told::Ended { call, reason }
            }
            Event::Request { request, message, .. } => {
                let method = message.and_then(|message| message.method());
                let method = method.map(|method| method.as_bytes()).unwrap_or_default();
                let method = String::from_utf8_lossy(method).into_owned();
                Told::Request { request, method }
            }
            Event::Response { request, outcome, .. } => Told::Response { request, outcome },
            _ => return None,
        })
    }

    fn start_media(&mut self, now: Instant, call: CallId, stage: Stage, plan: &MediaPlan) {
        let media = self.media;
        let seed = self.seeds.seed();
        let Some(talk) = self.talk(call) else { return };
        if stage != Stage::Offered {
            talk.plan = Some(*plan);
        }
        if !media {
            return;
        }
        match (&mut talk.session, stage) {
            (Some(session), Stage::Offered) => session.offer_plan(plan),
            (Some(session), _) => session.set_plan(now, plan),
            (None, Stage::Offered) => {}
            (None, _) => {
                talk.session = Some(Box::new(Session::new(plan, seed, now)));
                talk.next_tick = now;
            }
        }
    }

    /// A datagram on an RTP port, or on the RTCP port after it; false where none is open.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        port: u16,
        from: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        let rtp = port & !1;
        let talk = self.talks.iter_mut().rev().take(RECENT).find(|talk| talk.port == rtp);
        let Some(session) = talk.and_then(|talk| talk.session.as_mut()) else { return false };
        if port == rtp {
            session.handle(now, from, bytes);
        } else {
            session.handle_rtcp(now, from, bytes);
        }
        true
    }

    /// The frames that are due: packets to send, what the user hears, calls that went silent.
    pub(crate) fn tick(
        &mut self,
        now: Instant,
        packets: &mut Vec<MediaPacket>,
        told: &mut Vec<Told>,
        silent: &mut Vec<CallId>,
    ) {
        for talk in self.talks.iter_mut().rev().take(RECENT) {
            if talk.next_tick <= now {
                talk.tick(now, packets, told, silent);
            }
        }
    }
}

fn contacts(bytes: &[u8]) -> Vec<String> {
    let Some(wire) = crate::wire::Wire::read(bytes) else { return Vec::new() };
    let contacts = wire.values("contact");
    contacts.into_iter().map(|contact| crate::wire::uri_of(contact).to_owned()).collect()
}

/// Calls of a phone that can live at once are fewer than this.
const RECENT: usize = 16;
pub(super) const FIRST_MEDIA_PORT: u16 = 20_000;
const LAST_MEDIA_PORT: u16 = 59_998;
