//! The one lock, the driver's bell, and what needs neither.

use core::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sansip::endpoint::{Command, Input, Reply};
use sansip::time::Duration;
use sansip::trace::Record;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::error::Error;
use crate::net::Net;
use crate::phone::Audio;
use crate::state::{Order, State};
use crate::trace::Trace;

pub(crate) struct Shared {
    state: Mutex<State>,
    /// Rung when there are orders for the driver, or a sooner deadline.
    pub(crate) bell: Notify,
    pub(crate) clock: Clock,
    pub(crate) net: Net,
    pub(crate) audio: Audio,
    pub(crate) rtp_ports: RangeInclusive<u16>,
    pub(crate) media_silence: Option<Duration>,
    traces: Mutex<Vec<Box<dyn Trace>>>,
}

impl Shared {
    pub(crate) fn new(
        state: State,
        clock: Clock,
        net: Net,
        audio: Audio,
        rtp_ports: RangeInclusive<u16>,
        media_silence: Option<Duration>,
    ) -> Self {
        Self {
            state: Mutex::new(state),
            bell: Notify::new(),
            clock,
            net,
            audio,
            rtp_ports,
            media_silence,
            traces: Mutex::new(Vec::new()),
        }
    }

    /// The state; hold it for a few lines only and never over an `await`.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One turn with something that came in, or with time that passed.
    pub(crate) fn input(&self, input: Option<Input<'_>>) {
        let now = self.clock.now();
        self.lock().input(now, &self.net, input);
    }

    /// One turn with a command, on the caller's task.
    pub(crate) fn command(&self, command: Command<'_>) -> Result<Reply, Error> {
        self.command_with(command, |_, _| ())
    }

    /// As [`Shared::command`]; `after` sees the state before anybody else does.
    pub(crate) fn command_with(
        &self,
        command: Command<'_>,
        after: impl FnOnce(&mut State, Reply),
    ) -> Result<Reply, Error> {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        let reply = state.endpoint.command(now, command);
        if let Ok(reply) = reply {
            after(&mut state, reply);
        }
        state.drain(now, &self.net, None);
        let wakes = state.needs_driver();
        drop(state);
        if wakes {
            self.bell.notify_one();
        }
        Ok(reply?)
    }

    /// The next thing that the driver is to do.
    pub(crate) fn next_order(&self) -> Option<Order> {
        let mut state = self.lock();
        let order = state.orders.pop_front();
        state.is_sending = order.is_some();
        order
    }

    pub(crate) fn add_trace(&self, trace: Box<dyn Trace>) {
        self.lock().traced = true;
        self.traces.lock().unwrap_or_else(PoisonError::into_inner).push(trace);
    }

    /// Shows a message to the sinks. They are the user's code, so they run outside every lock.
    pub(crate) fn trace(&self, record: &Record<'_>) {
        let mut traces = self.lock_traces();
        if traces.is_empty() {
            return;
        }
        let mut sinks = core::mem::take(&mut *traces);
        drop(traces);
        for sink in &mut sinks {
            sink.record(record);
        }
        let mut traces = self.lock_traces();
        sinks.append(&mut traces); // those that were added meanwhile
        *traces = sinks;
    }

    fn lock_traces(&self) -> MutexGuard<'_, Vec<Box<dyn Trace>>> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
