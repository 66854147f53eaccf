//! What the handles and the driver share: the endpoint and what the application waits for.

use core::net::IpAddr;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use sansip::endpoint::{
    self, AccountId, Action, CallId, Command, Input, QueryId, Reason, RequestId, Stage,
};
use sansip::journal::Recorded;
use sansip::path::{Path, Transport};
use sansip::sdp::MediaPlan;
use sansip::time::Instant;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};

use crate::event::{Event, Listeners};
use crate::journal::JournalFile;
use crate::media::{Control, MediaControl};
use crate::message::Message;
use crate::net::Net;
use crate::request::Response;

/// Everything under the phone's one lock. Nothing here waits, and no user code runs here.
pub(crate) struct State {
    pub(crate) endpoint: Recorded<'static, JournalFile>,
    pub(crate) calls: HashMap<CallId, CallEntry>,
    pub(crate) lines: HashMap<AccountId, watch::Sender<Registration>>,
    pub(crate) responses: HashMap<RequestId, oneshot::Sender<Result<Response, Reason>>>,
    pub(crate) listeners: Listeners,
    udp: Arc<UdpSocket>,
    /// What the driver is to carry out, in order.
    pub(crate) orders: VecDeque<Order>,
    /// The driver is at an order: nothing may overtake it.
    pub(crate) is_sending: bool,
    /// When the driver wakes by itself: at the soonest deadline, or sooner.
    pub(crate) alarm: Option<Instant>,
    /// Somebody wants to see every message: the driver sends, as sinks may not run under the lock.
    pub(crate) traced: bool,
    pub(crate) closed: bool,
    incoming: Option<mpsc::Sender<NewCall>>,
    requests: Option<mpsc::Sender<NewRequest>>,
    /// Calls that found no room in the queue.
    surplus: Vec<CallId>,
}

/// One thing for the driver to do outside the lock.
pub(crate) enum Order {
    Transmit { path: Path, bytes: Vec<u8> },
    SendFailed { path: Path },
    Resolve { query: QueryId, host: String, port: Option<u16>, transport: Option<Transport> },
    Connect { flow: sansip::path::FlowId },
}

/// Whether the driver has a time to wake at.
pub(crate) enum Alarm {
    None,
    Stands,
    Moved(Instant),
}

/// What the driver keeps of a call.
pub(crate) struct CallEntry {
    pub(crate) status: watch::Sender<CallStatus>,
    pub(crate) media: Option<MediaControl>,
}

impl Drop for CallEntry {
    /// The call is over, though its handle may live on.
    fn drop(&mut self) {
        if let Some(media) = &self.media {
            media.send(Control::End);
        }
    }
}

/// Where a call stands, for those who wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallStatus {
    pub(crate) phase: Phase,
    /// It is up or was: a BYE may be taken before anybody looks.
    pub(crate) was_up: bool,
    /// Counts agreed media plans, ours and the peer's.
    pub(crate) agreed: u64,
    pub(crate) plan: Option<MediaPlan>,
    /// Counts refused changes, with the last one's reason.
    pub(crate) refused: (u64, Option<Reason>),
    /// The last message that moved the call.
    pub(crate) message: Option<Message>,
}

/// How far a call is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Phase {
    /// Not answered yet, no provisional response either.
    #[default]
    Waiting,
    /// The last provisional response, 100 to 199.
    Progress(u16),
    /// Up.
    Established,
    /// Over.
    Ended(Reason),
}

/// Where a registration stands, for those who wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registration {
    /// Whether we asked for it, so that the end of the phone removes it.
    pub(crate) wanted: bool,
    /// Counts what follows, so that a waiter knows new from old.
    pub(crate) news: u64,
    pub(crate) state: RegistrationState,
    /// Counts answered queries, with the last one's answer.
    pub(crate) queries: u64,
    pub(crate) bindings: Option<Result<Option<Message>, Reason>>,
}

/// What the registrar last said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum RegistrationState {
    #[default]
    Unregistered,
    Registered,
    Failed(Reason),
}

/// An incoming call that nobody took yet.
pub(crate) struct NewCall {
    pub(crate) call: CallId,
    pub(crate) line: AccountId,
    pub(crate) status: watch::Receiver<CallStatus>,
    pub(crate) message: Option<Message>,
    /// Who is at the other end, and our address there.
    pub(crate) local: Option<IpAddr>,
}

/// A request that nobody took yet.
pub(crate) struct NewRequest {
    pub(crate) request: RequestId,
    pub(crate) call: Option<CallId>,
    pub(crate) message: Option<Message>,
}

impl State {
    pub(crate) fn new(
        endpoint: Recorded<'static, JournalFile>,
        udp: Arc<UdpSocket>,
        incoming: mpsc::Sender<NewCall>,
        requests: mpsc::Sender<NewRequest>,
    ) -> Self {
        Self {
            endpoint,
            calls: HashMap::new(),
            lines: HashMap::new(),
            responses: HashMap::new(),
            listeners: Listeners::default(),
            udp,
            orders: VecDeque::new(),
            is_sending: false,
            alarm: None,
            traced: false,
            closed: false,
            incoming: Some(incoming),
            requests: Some(requests),
            surplus: Vec::new(),
        }
    }

    /// One turn with something that came in; `None` when only time has passed.
    pub(crate) fn input(&mut self, now: Instant, net: &Net, input: Option<Input<'_>>) {
        let mut local = None;
        if let Some(input) = input {
            if let Input::Message { path, .. } = &input {
                local = Some(path.local.ip());
            }
            self.endpoint.handle(now, input);
        }
        self.drain(now, net, local);
    }

    /// Does or copies out all that the endpoint wants done, then refuses the calls that had no
    /// room.
    pub(crate) fn drain(&mut self, now: Instant, net: &Net, local: Option<IpAddr>) {
        loop {
            while let Some(action) = self.endpoint.poll_action(now) {
                match action {
                    Action::Transmit { path, bytes } => {
                        let waits = self.traced || self.is_sending || !self.orders.is_empty();
                        let order = if waits {
                            Some(Order::Transmit { path, bytes: bytes.to_vec() })
                        } else {
                            send(&self.udp, path, bytes)
                        };
                        self.orders.extend(order);
                    }
                    Action::Resolve { query, host, port, transport } => {
                        if let Some(path) = net.known(host, port, transport) {
                            self.endpoint.handle(now, Input::Resolved { query, targets: &[path] });
                            continue;
                        }
                        let host = host.to_owned();
                        self.orders.push_back(Order::Resolve { query, host, port, transport });
                    }
                    Action::Connect { flow, .. } => self.orders.push_back(Order::Connect { flow }),
                    Action::Event(event) => {
                        let told = Told { event, local };
                        let mut desk = Desk {
                            calls: &mut self.calls,
                            lines: &self.lines,
                            responses: &mut self.responses,
                            listeners: &mut self.listeners,
                            incoming: self.incoming.as_ref(),
                            requests: self.requests.as_ref(),
                            surplus: &mut self.surplus,
                        };
                        desk.tell(told);
                    }
                    _ => {}
                }
            }
            let Some(call) = self.surplus.pop() else { return };
            let _ = self.endpoint.command(now, Command::Reject { call, status: 486, headers: &[] });
        }
    }

    /// Whether the driver has something to do, or must wake sooner than it means to.
    pub(crate) fn needs_driver(&self) -> bool {
        let soonest = self.endpoint.poll_timeout();
        !self.orders.is_empty() || soonest.is_some_and(|at| self.alarm.is_none_or(|set| at < set))
    }

    /// Sets the alarm forward where a deadline needs it. One that comes too early does no harm, and
    /// most deadlines of SIP are of things that do not happen.
    pub(crate) fn set_alarm(&mut self) -> Alarm {
        match (self.endpoint.poll_timeout(), self.alarm) {
            (Some(at), set) if set.is_none_or(|set| at < set) => {
                self.alarm = Some(at);
                Alarm::Moved(at)
            }
            (_, Some(_)) => Alarm::Stands,
            (_, None) => Alarm::None,
        }
    }

    /// Ends every wait; commands are refused from now on.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.endpoint.end_journal();
        self.calls.clear();
        self.lines.clear();
        self.responses.clear();
        self.incoming = None;
        self.requests = None;
        self.listeners.close();
    }
}

/// Sends at once, which saves a copy and a wake-up of the driver; else what is left to do.
fn send(udp: &UdpSocket, path: Path, bytes: &[u8]) -> Option<Order> {
    let sent = match path.transport {
        Transport::Udp => udp.try_send_to(bytes, path.remote),
        _ => Err(io::ErrorKind::Unsupported.into()),
    };
    match sent {
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Some(Order::Transmit { path, bytes: bytes.to_vec() })
        }
        Err(_) => Some(Order::SendFailed { path }),
    }
}

/// An event with the address at which its message came.
struct Told<'e> {
    event: endpoint::Event<'e>,
    local: Option<IpAddr>,
}

/// The part of the state that events change while the endpoint lends them.
struct Desk<'s> {
    calls: &'s mut HashMap<CallId, CallEntry>,
    lines: &'s HashMap<AccountId, watch::Sender<Registration>>,
    responses: &'s mut HashMap<RequestId, oneshot::Sender<Result<Response, Reason>>>,
    listeners: &'s mut Listeners,
    incoming: Option<&'s mpsc::Sender<NewCall>>,
    requests: Option<&'s mpsc::Sender<NewRequest>>,
    surplus: &'s mut Vec<CallId>,
}

impl Desk<'_> {
    fn tell(&mut self, Told { event, local }: Told<'_>) {
        use endpoint::Event as Core;
        match event {
            Core::Registered { account: line, expires_s, message } => {
                self.registration(line, RegistrationState::Registered);
                let message = message.as_ref().map(Message::new);
                self.listeners.tell(&Event::Registered { line, expires_s, message });
            }
            Core::RegistrationFailed { account: line, reason, retry_s, message } => {
                self.registration(line, RegistrationState::Failed(reason));
                let message = message.as_ref().map(Message::new);
                self.listeners.tell(&Event::RegistrationFailed { line, reason, retry_s, message });
            }
            Core::Unregistered { account: line, .. } => {
                self.registration(line, RegistrationState::Unregistered);
                self.listeners.tell(&Event::Unregistered { line });
            }
            Core::Bindings { account, outcome, message } => {
                if let Some(line) = self.lines.get(&account) {
                    line.send_modify(|line| {
                        line.queries += 1;
                        let message = message.as_ref().map(Message::new);
                        line.bindings = Some(outcome.map(|()| message));
                    });
                }
            }
            Core::Incoming { call, account, message } => {
                self.incoming(call, account, message.as_ref().map(Message::new), local);
            }
            Core::Request { request, call, message, .. } => {
                let message = message.as_ref().map(Message::new);
                // Without room the endpoint answers 500 by itself after a while.
                let new = NewRequest { request, call, message: message.clone() };
                let _ = self.requests.map(|requests| requests.try_send(new));
                self.listeners.tell(&Event::Request { request, call, message });
            }
            Core::Response { request, outcome, message } => {
                if let Some(waiter) = self.responses.remove(&request) {
                    let message = message.as_ref().map(Message::new);
                    let _ = waiter.send(outcome.map(|status| Response { status, message }));
                }
            }
            of_call => self.call(of_call),
        }
    }

    fn registration(&self, line: AccountId, state: RegistrationState) {
        if let Some(line) = self.lines.get(&line) {
            line.send_modify(|line| {
                line.news += 1;
                line.state = state;
            });
        }
    }

    fn incoming(
        &mut self,
        call: CallId,
        line: AccountId,
        message: Option<Message>,
        local: Option<IpAddr>,
    ) {
        let first = CallStatus { message: message.clone(), ..CallStatus::default() };
        let (sender, status) = watch::channel(first);
        let new = NewCall { call, line, status, message: message.clone(), local };
        if self.incoming.is_none_or(|incoming| incoming.try_send(new).is_err()) {
            self.surplus.push(call);
            return;
        }
        self.calls.insert(call, CallEntry { status: sender, media: None });
        self.listeners.tell(&Event::Incoming { call, line, message });
    }

    fn call(&mut self, event: endpoint::Event<'_>) {
        use endpoint::Event as Core;
        match event {
            Core::Progress { call, status, message } => {
                let message = message.as_ref().map(Message::new);
                self.update(call, |now| {
                    now.phase = Phase::Progress(status);
                    now.message.clone_from(&message);
                });
                self.listeners.tell(&Event::Progress { call, status, message });
            }
            Core::Media { call, stage, plan, .. } => {
                if let Some(media) = self.calls.get(&call).and_then(|entry| entry.media.as_ref()) {
                    media.send(Control::Plan { stage, plan });
                }
                if stage != Stage::Offered {
                    self.update(call, |now| {
                        now.plan = Some(plan);
                        now.agreed += u64::from(stage == Stage::Agreed);
                    });
                }
                self.listeners.tell(&Event::Media { call, stage, plan });
            }
            Core::Established { call, message } => {
                let message = message.as_ref().map(Message::new);
                self.update(call, |now| {
                    now.phase = Phase::Established;
                    now.was_up = true;
                    now.message.clone_from(&message);
                });
                self.listeners.tell(&Event::Established { call, message });
            }
            Core::HoldFailed { call, reason } => {
                self.update(call, |now| now.refused = (now.refused.0 + 1, Some(reason)));
                self.listeners.tell(&Event::HoldFailed { call, reason });
            }
            Core::Ended { call, reason, message } => {
                let message = message.as_ref().map(Message::new);
                self.update(call, |now| {
                    now.phase = Phase::Ended(reason);
                    now.message.clone_from(&message);
                });
                self.calls.remove(&call);
                self.listeners.tell(&Event::Ended { call, reason, message });
            }
            _ => {}
        }
    }

    fn update(&self, call: CallId, change: impl FnOnce(&mut CallStatus)) {
        if let Some(entry) = self.calls.get(&call) {
            entry.status.send_modify(change);
        }
    }
}
