//! What users were told, compared between the two sides of a call and with the registrar.

use core::net::SocketAddr;

use sansip::endpoint::{CallId, Reply};
use sansip::time::Duration;

use super::{Run, Topology};
use crate::phone::{Operation, Told};
use crate::world::NodeId;

impl Run {
    /// Calls that are up on both sides, and to which nothing happened for some seconds, look the
    /// same from both sides.
    pub(super) fn check_agreement(&mut self) {
        if self.profile.topology == Topology::Pbx {
            return; // two calls, which may differ
        }
        let now = self.world.now();
        let still: Vec<_> = self.moved.iter().filter(|(_, _, at)| now.since(*at) > STILL).collect();
        let mut pairs = Vec::new();
        for (phone, call, _) in &still {
            let Some(one) = self.world.phone(*phone).and_then(|phone| phone.call(*call)) else {
                continue;
            };
            let other = still.iter().find_map(|(node, call, _)| {
                let talk = self.world.phone(*node)?.call(*call)?;
                (node != phone && talk.call_id == one.call_id && talk.is_up()).then_some(talk)
            });
            if let (Some(one_plan), Some(other)) = (one.plan, other)
                && let Some(other_plan) = other.plan
                && one.is_up()
            {
                pairs.push((phone.0, one_plan, other_plan));
            }
        }
        for (node, one, other) in pairs {
            self.world.oracle().compare(now, node, &one, &other);
        }
    }

    /// Whoever is told to be registered is, and once all is well everybody is.
    pub(super) fn check_registrations(&mut self) {
        let (Topology::Server, Some(server)) = (self.profile.topology, self.middle) else { return };
        let now = self.world.now();
        for phone in self.phones.clone() {
            let Some(known) = self.world.phone(phone) else { continue };
            let (told, user) = (known.is_registered(), known.options().user.clone());
            let bindings =
                self.world.server(server).map(|server| server.bindings(now, &user).len());
            let text = match (told, bindings) {
                (true, Some(0)) => "is told to be registered and is not",
                (false, _) => "could not register again",
                _ => continue,
            };
            // A damaged 200 may have promised a longer life than was granted.
            self.world.oracle().report_if_intact(now, phone.0, 11, &format!("{user} {text}"));
        }
    }

    /// A new call succeeds.
    pub(super) fn check_liveness(&mut self) {
        let [caller, callee, ..] = self.phones.as_slice() else { return };
        let (caller, callee) = (*caller, *callee);
        let user = self.world.phone(callee).map(|phone| phone.options().user.clone());
        let target = match self.profile.topology {
            Topology::Direct => {
                let user = user.unwrap_or_default();
                format!("sip:{user}@{}", self.world.address(callee))
            }
            _ => user.unwrap_or_default(),
        };
        let call = self.world.perform(caller, Operation::Call { target, late_offer: false });
        let Ok(Reply::Call(call)) = call else {
            let now = self.world.now();
            self.world.oracle().report(now, caller.0, 15, &format!("no new call: {call:?}"));
            return;
        };
        self.placed += 1;
        let until = self.world.now() + LIVELY;
        let mut answered = false;
        while self.world.step(until) {
            while let Some((phone, told)) = self.world.take_news() {
                if let (true, Told::Incoming { call }) = (phone == callee, &told) {
                    let _ = self.world.perform(phone, Operation::Answer(*call));
                }
                answered |= phone == caller && told == (Told::Established { call });
            }
        }
        if !answered {
            let now = self.world.now();
            let talk = self.world.phone(caller).and_then(|phone| phone.call(call));
            let text = format!("a new call did not succeed: {:?}", talk.map(|talk| talk.ended));
            self.world.oracle().report(now, caller.0, 15, &text);
            return;
        }
        self.established += 1;
        let sides = [(caller, Some(call)), (callee, self.world.current_call(callee))];
        let plan =
            |(phone, call): (NodeId, Option<CallId>)| self.world.phone(phone)?.call(call?)?.plan;
        if let ([Some(one), Some(other)], false) =
            (sides.map(plan), self.profile.topology == Topology::Pbx)
        {
            let now = self.world.now();
            self.world.oracle().compare(now, caller.0, &one, &other);
        }
    }

    pub(super) fn check_digits(&mut self) {
        let now = self.world.now();
        let mut pairs = Vec::new();
        for sender in &self.phones {
            let Some(phone) = self.world.phone(*sender) else { continue };
            for talk in phone.calls().iter().filter(|talk| !talk.digits_sent.is_empty()) {
                let others = self.phones.iter().filter(|other| *other != sender);
                let heard: Vec<_> = others
                    .filter_map(|other| {
                        let calls = self.world.phone(*other)?.calls().iter();
                        let mut calls = calls.filter(|other| other.call_id == talk.call_id);
                        calls.next().map(|heard| (*other, heard))
                    })
                    .collect();
                // Of a forked call's phones one was talked to, and nothing here says which.
                let heard = if heard.len() > 1 { Vec::new() } else { heard };
                for (other, heard) in heard {
                    let from = SocketAddr::new(phone.address().ip(), talk.port);
                    let ended = heard.ended_at.unwrap_or(now);
                    pairs.push((other.0, (from, talk.opened_at), heard.digits.clone(), ended));
                }
            }
        }
        for (node, from, heard, ended) in pairs {
            let oracle = self.world.oracle();
            oracle.compare_digits(now, node, from, (&heard, ended));
        }
    }
}

const LIVELY: Duration = Duration::from_secs(10);
const STILL: Duration = Duration::from_secs(10);
