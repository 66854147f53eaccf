//! What users do: they call, are called, talk, and hang up.

use sansip::endpoint::{CallId, Reply};
use sansip::time::Duration;

use super::setting::GROUP;
use super::{Fault, Run, Topology};
use crate::phone::{Operation, Told};
use crate::world::NodeId;

impl Run {
    pub(super) fn for_all(&mut self, operation: &Operation) {
        if self.middle.is_none() && *operation == Operation::Register {
            return;
        }
        for phone in self.phones.clone() {
            let _ = self.world.perform(phone, operation.clone());
        }
    }

    pub(super) fn target(&mut self, callee: NodeId) -> String {
        let user = self.world.phone(callee).map(|phone| phone.options().user.clone());
        let user = user.unwrap_or_default();
        match self.profile.topology {
            Topology::Direct if self.profile.has(Fault::Unreachable) && self.users.chance(0.1) => {
                let silent = ([10, 9, 9, 9], 5060).into();
                let nowhere = self.nowhere.filter(|_| self.users.chance(0.5));
                let nowhere = nowhere.map_or(silent, |nowhere| self.world.address(nowhere));
                format!("sip:nobody@{nowhere}")
            }
            Topology::Direct => format!("sip:{user}@{}", self.world.address(callee)),
            Topology::Server if self.users.chance(0.15) => GROUP.to_owned(),
            Topology::Server => user,
            Topology::Pbx => {
                const NUMBERS: [&str; 10] =
                    ["600", "601", "602", "603", "604", "605", "606", "608", "609", "622"];
                let number = self.users.pick(&NUMBERS).copied().unwrap_or_default();
                if self.users.chance(0.5) { user } else { number.to_owned() }
            }
        }
    }

    pub(super) fn place_call(&mut self) {
        let Some(caller) = self.users.pick(&self.phones).copied() else { return };
        let others: Vec<_> = self.phones.iter().copied().filter(|phone| *phone != caller).collect();
        let Some(callee) = self.users.pick(&others).copied() else { return };
        let target = self.target(callee);
        let late_offer = self.users.chance(0.1);
        self.placed += 1;
        let call = self.world.perform(caller, Operation::Call { target, late_offer });
        if let Ok(Reply::Call(call)) = call
            && self.users.chance(0.15)
        {
            let after = Duration::from_millis(self.users.within(0..=6000));
            self.world.plan(after, caller, Operation::HangUp(call));
        }
        if self.users.chance(0.05) {
            let method = if self.users.chance(0.5) { "OPTIONS" } else { "MESSAGE" };
            let target = self.target(callee);
            let _ = self.world.perform(caller, Operation::Request { method, target });
        }
    }

    pub(super) fn live_for(&mut self, span: Duration) {
        let until = self.world.now() + span;
        let mut steps = 0;
        while self.world.step(until) {
            while let Some((phone, told)) = self.world.take_news() {
                self.react(phone, &told);
            }
            steps += 1;
            if let Some(attacker) = &mut self.attacker
                && steps % 8 == 0
            {
                attacker.overhear(self.world.take_tapped());
                attacker.strike(&mut self.world);
                self.fault_events += 1;
            }
        }
        if self.profile.faults.is_empty() {
            self.check_agreement();
        }
    }

    fn react(&mut self, phone: NodeId, told: &Told) {
        match told {
            Told::Incoming { call } => self.be_called(phone, *call),
            Told::RegistrationFailed { retry_s: None, .. } => {
                self.world.plan(PATIENCE, phone, Operation::Register);
            }
            Told::Established { call } => {
                self.established += 1;
                self.talk(phone, *call);
            }
            _ => {}
        }
        let (Told::Established { call }
        | Told::Media { call, .. }
        | Told::Ended { call, .. }
        | Told::HoldFailed { call, .. }) = told
        else {
            return;
        };
        let now = self.world.now();
        let known =
            self.moved.iter_mut().find(|(node, known, _)| (*node, *known) == (phone, *call));
        match known {
            Some((_, _, at)) => *at = now,
            None => self.moved.push((phone, *call, now)),
        }
        if matches!(told, Told::Ended { .. }) {
            self.moved.retain(|(node, known, _)| (*node, *known) != (phone, *call));
        }
    }

    fn be_called(&mut self, phone: NodeId, call: CallId) {
        let users = &mut self.users;
        let soon = Duration::from_millis(users.within(0..=1000));
        let later = Duration::from_millis(users.within(1000..=9000));
        match users.below(100) {
            0..=9 => self.world.plan(soon, phone, Operation::Answer(call)),
            10..=69 => {
                self.world.plan(soon, phone, Operation::Ring(call));
                self.world.plan(later, phone, Operation::Answer(call));
            }
            70..=79 => {
                self.world.plan(soon, phone, Operation::EarlyMedia(call));
                self.world.plan(later, phone, Operation::Answer(call));
            }
            80..=94 => {
                let status = users.pick(&[486, 480, 603, 404, 302]).copied().unwrap_or(486);
                self.world.plan(later, phone, Operation::Reject(call, status));
            }
            _ => {} // nobody is there
        }
    }

    pub(super) fn talk(&mut self, phone: NodeId, call: CallId) {
        let users = &mut self.users;
        let longest_ms = if self.profile.media { 40_000 } else { 60_000 };
        let end_ms = users.within(0..=longest_ms);
        let first = users.chance(0.6);
        // Each side hangs up for certain, so that no call outlives a lost BYE for long.
        let end = Duration::from_millis(if first { end_ms } else { longest_ms + end_ms });
        let operation = match users.chance(0.5) {
            true => Operation::HangUp(call),
            false if first => Operation::HangUp(call),
            false => Operation::Silent(call),
        };
        self.world.plan(end, phone, operation);
        self.world.plan(Duration::from_millis(3 * longest_ms), phone, Operation::HangUp(call));
        let mut moment = || Duration::from_millis(users.within(0..=end_ms.max(1)));
        let (one, other) = (moment(), moment());
        if self.users.chance(0.25) {
            self.world.plan(one.min(other), phone, Operation::Hold(call));
            self.world.plan(one.max(other), phone, Operation::Resume(call));
        } else if self.users.chance(0.05) {
            // Both sides at once, if the other draws the same second.
            self.world.plan(Duration::from_secs(2), phone, Operation::Hold(call));
            self.world.plan(other, phone, Operation::Resume(call));
        } else if self.profile.media && self.users.chance(0.6) {
            let digits = ["1", "42", "0123456789", "*#", "ABCD", "5555"];
            let digits = self.users.pick(&digits).copied().unwrap_or("1");
            self.world.plan(one, phone, Operation::Digits(call, digits.to_owned()));
            if let Some(again) = self.users.chance(0.7).then(|| self.users.within(0..=end_ms)) {
                let again = Duration::from_millis(again);
                self.world.plan(again, phone, Operation::Digits(call, "7".to_owned()));
            }
            self.world.plan(other, phone, Operation::Mute(call, true));
        }
    }

    pub(super) fn end_all(&mut self) {
        for phone in self.phones.clone() {
            let calls: Vec<_> = self.world.phone(phone).map_or_else(Vec::new, |phone| {
                let live = phone.calls().iter().filter(|talk| talk.ended.is_none());
                live.map(|talk| talk.call).collect()
            });
            for call in calls {
                let _ = self.world.perform(phone, Operation::HangUp(call));
            }
        }
        if self.middle.is_some() {
            self.for_all(&Operation::Unregister);
        }
        let until = self.world.now() + QUIET;
        while self.world.step(until) {
            while self.world.take_news().is_some() {}
        }
        if self.profile.media {
            self.check_digits();
        }
    }
}

const QUIET: Duration = Duration::from_secs(120);
/// When a user tries again what the phone gave up.
const PATIENCE: Duration = Duration::from_secs(60);
