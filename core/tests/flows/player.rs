//! Plays a flow as an RFC draws it: each line one arrow, in its order, none more and none less.
//!
//! | line | what it is |
//! |---|---|
//! | `do call` | the user does something; see `Flow::act` |
//! | `> INVITE` | the endpoint sends this; `to ADDRESS`, then `with TEXT & TEXT` (or `CSeq+N`) and `without TEXT` may follow |
//! | `< 180 INVITE tag=b` | the peer answers the last request of this method; `sdp`, `+ Header: value` |
//! | `< BYE` | the peer sends a request, in the dialog where there is one |
//! | `< again` | what the peer sent last arrives once more |
//! | `< lost ACK` | the peer sends this, and it is lost: `< late ACK` lets it arrive |
//! | `= established` | the application is told this |
//! | `wait 500 ms` | time passes; `wait at most 4 s` only until something is sent |
//!
//! `F3` before an arrow is its number in the RFC. Before anything is done or arrives, all that was
//! sent and told must have been listed; at the end nothing may be left in any table.

use std::collections::{BTreeMap, VecDeque};

use sansip::endpoint::{Account, CallId, Command, Config};
use sansip::time::Duration;

use crate::support::Heard;
use crate::support::script::{Caller, PEER, Scene, Sent, audio, line_of, sdp};

/// Plays a flow of a phone that calls and is called directly, and registers at a server.
pub fn play(flow: &str) {
    play_as(flow, |_| {});
}

/// Plays a flow of a phone all of whose requests go through a proxy.
pub fn play_through_a_proxy(flow: &str) {
    play_as(flow, |account| account.outbound_proxy = "sip:192.0.2.10;lr");
}

pub fn play_as(flow: &str, change: impl FnOnce(&mut Account<'static>)) {
    let mut player = Flow {
        scene: Scene::with(Config::default(), change),
        call: None,
        last: BTreeMap::new(),
        sent: VecDeque::new(),
        told: VecDeque::new(),
        first_cseq: BTreeMap::new(),
        peer: None,
        arrived: String::new(),
        lost: String::new(),
    };
    for line in flow.lines().map(str::trim).filter(|line| !line.is_empty()) {
        player.line(line);
    }
    player.end();
}

struct Flow {
    scene: Scene,
    call: Option<CallId>,
    /// What the endpoint sent last, by method of its CSeq: requests, and responses apart.
    last: BTreeMap<String, Sent>,
    sent: VecDeque<Sent>,
    told: VecDeque<String>,
    /// Where the numbers of a method began.
    first_cseq: BTreeMap<String, u32>,
    peer: Option<Caller>,
    arrived: String,
    lost: String,
}

impl Flow {
    fn line(&mut self, line: &str) {
        let numbered = line.split_once(' ').filter(|(first, _)| {
            first.strip_prefix('F').is_some_and(|number| number.parse::<u32>().is_ok())
        });
        let text = numbered.map_or(line, |(_, rest)| rest.trim());
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        match verb {
            ">" => self.expect(line, rest),
            "=" => {
                let told = self.told.pop_front();
                assert_eq!(told.as_deref(), Some(rest), "{line}; sent {:?}", self.labels());
            }
            "do" => self.quiet_before(line).act(rest),
            "<" => self.quiet_before(line).arrive(rest),
            "wait" => self.quiet_before(line).wait(rest),
            other => panic!("no verb {other}"),
        }
        self.collect();
    }

    fn labels(&self) -> Vec<String> {
        self.sent.iter().map(Sent::label).collect()
    }

    fn collect(&mut self) {
        let sent = self.scene.sent();
        self.sent.extend(sent);
        let heard = self.scene.heard();
        for heard in &heard {
            if let Heard::Incoming(call) = heard {
                self.call = Some(*call);
            }
            self.told.push_back(name_of(heard));
        }
    }

    fn quiet_before(&mut self, line: &str) -> &mut Self {
        let left: Vec<_> = self.sent.iter().map(|sent| sent.text.as_str()).collect();
        assert!(left.is_empty(), "before `{line}` was sent:\n{}", left.join("\n"));
        assert!(self.told.is_empty(), "before `{line}` was told: {:?}", self.told);
        self
    }

    fn expect(&mut self, line: &str, rest: &str) {
        let sent = self.sent.pop_front();
        let sent = sent.unwrap_or_else(|| panic!("{line}: nothing is sent; told {:?}", self.told));
        let (rest, absent) = rest.split_once(" without ").unwrap_or((rest, ""));
        let (rest, present) = rest.split_once(" with ").unwrap_or((rest, ""));
        let (label, to) = rest.split_once(" to ").unwrap_or((rest, ""));
        assert_eq!(sent.label(), label, "{line}: {}", sent.text);
        let first = *self.first_cseq.entry(label.to_owned()).or_insert(sent.cseq());
        for part in present.split(" & ").filter(|part| !part.is_empty()) {
            if let Some(more) = part.strip_prefix("CSeq+") {
                let base = if matches!(label, "ACK" | "CANCEL") { "INVITE" } else { label };
                let first = self.first_cseq.get(base).copied().unwrap_or(first);
                assert_eq!(sent.cseq(), first + more.parse::<u32>().unwrap(), "{line}");
                continue;
            }
            assert!(sent.text.contains(part), "{line}: {}", sent.text);
        }
        for part in absent.split(" & ").filter(|part| !part.is_empty()) {
            assert!(!sent.text.contains(part), "{line}: {}", sent.text);
        }
        if !to.is_empty() {
            assert_eq!(sent.to.ip().to_string(), to, "{line}: {}", sent.text);
        }
        let is_response = sent.text.starts_with("SIP/2.0 ");
        let method = sent.header("CSeq").split(' ').nth(1).unwrap().to_owned();
        if let Some(peer) = self.peer.as_mut().filter(|_| is_response && method == "INVITE") {
            if let Some(tag) = sent.tag_of_to() {
                peer.to_tag = tag.to_owned();
            }
            if !sent.all("Contact").is_empty() {
                peer.target = sent.contact().to_owned();
            }
        }
        let key = if is_response { format!("answer {method}") } else { method };
        self.last.insert(key, sent);
    }

    fn act(&mut self, what: &str) {
        let (account, now, media) = (self.scene.account, self.scene.now, Scene::media());
        let call = self.call;
        let endpoint = &mut self.scene.node.endpoint;
        let words: Vec<_> = what.split(' ').collect();
        match words.as_slice() {
            ["register"] => endpoint.register(now, account).unwrap(),
            ["unregister"] => endpoint.unregister(now, account).unwrap(),
            ["query"] => endpoint.query_bindings(now, account).unwrap(),
            ["call", target, late @ ..] => {
                let outgoing = sansip::endpoint::OutgoingCall {
                    account,
                    target,
                    media,
                    late_offer: late == ["late"],
                    headers: &[],
                };
                self.call = Some(endpoint.call(now, outgoing).unwrap());
                self.peer = None;
            }
            ["ring"] => {
                let call = call.unwrap();
                let ring = Command::Progress { call, status: 180, media: None, headers: &[] };
                endpoint.command(now, ring).unwrap();
            }
            ["answer"] => endpoint.answer(now, call.unwrap(), media).unwrap(),
            ["reject", status] => {
                endpoint.reject(now, call.unwrap(), status.parse().unwrap()).unwrap();
            }
            ["hang", "up"] => endpoint.hang_up(now, call.unwrap()).unwrap(),
            ["hold"] => endpoint.hold(now, call.unwrap()).unwrap(),
            other => panic!("nobody can do {other:?}"),
        }
    }

    fn arrive(&mut self, what: &str) {
        if what == "again" {
            let text = self.arrived.clone();
            return self.scene.hear_from(PEER, &text);
        }
        if what.starts_with("late ") {
            let text = self.lost.clone();
            return self.scene.hear_from(PEER, &text);
        }
        let (what, is_lost) = match what.strip_prefix("lost ") {
            Some(what) => (what, true),
            None => (what, false),
        };
        let (words, headers) = what.split_once(" + ").unwrap_or((what, ""));
        let headers: Vec<_> = headers.split(" + ").filter(|line| !line.is_empty()).collect();
        let mut words = words.split(' ');
        let first = words.next().unwrap();
        let words: Vec<_> = words.collect();
        let body = match () {
            () if words.contains(&"sdp") => audio(),
            () if words.contains(&"moved") => sdp("192.0.2.99", 7000, "sendrecv"),
            () if words.contains(&"hold") => sdp("192.0.2.20", 6000, "sendonly"),
            () => String::new(),
        };
        match first.parse::<u16>() {
            Ok(status) => self.respond(status, &words, &headers, &body),
            Err(_) => {
                let text = self.request(first, &words, &headers, &body);
                if is_lost {
                    self.lost = text;
                } else {
                    self.arrived.clone_from(&text);
                    self.scene.hear_from(PEER, &text);
                }
            }
        }
    }

    fn respond(&mut self, status: u16, words: &[&str], headers: &[&str], body: &str) {
        let method = words[0];
        let tag = words.iter().find_map(|word| word.strip_prefix("tag=")).unwrap_or_default();
        let request = self.last[method].clone();
        let mut headers = headers.to_vec();
        let in_dialog = (101..300).contains(&status) && method == "INVITE";
        if in_dialog && !headers.iter().any(|line| line.starts_with("Contact")) {
            headers.push("Contact: <sip:bob@192.0.2.20>");
        }
        if in_dialog && request.tag_of_to().is_none() {
            self.peer = Some(Caller::of_invite(&request, tag));
        }
        let contact;
        if method == "REGISTER" && status == 200 && words.contains(&"granted") {
            contact = format!("Contact: <{}>;expires=300", request.contact());
            headers.push(&contact);
        }
        let text = request.response(status, tag, &headers, body);
        self.arrived.clone_from(&text);
        self.scene.hear_from(&request.to.to_string(), &text);
    }

    /// The text of a request of the peer.
    fn request(&mut self, method: &str, words: &[&str], headers: &[&str], body: &str) -> String {
        let answered = self.last.get("answer INVITE").cloned();
        let peer = self.peer.get_or_insert_with(Caller::new);
        let of_invite = matches!(method, "ACK" | "CANCEL") && !words.contains(&"2xx");
        if of_invite && !peer.invite.is_empty() {
            let tag = answered.as_ref().filter(|_| method == "ACK").and_then(Sent::tag_of_to);
            let mut caller = peer.clone();
            let cseq = line_of(&peer.invite, "CSeq").split(' ').next();
            caller.cseq = cseq.unwrap().parse().unwrap();
            return caller.like_invite(method, tag.unwrap_or_default());
        }
        if method == "ACK" {
            let mut acked = peer.clone();
            if words.contains(&"first") {
                acked.cseq = 1;
            }
            return acked.ack(&mut self.scene, body);
        }
        let text = peer.request(&mut self.scene, method, headers, body);
        if method == "INVITE" {
            peer.invite.clone_from(&text);
        }
        text
    }

    fn wait(&mut self, span: &str) {
        let most = span.strip_prefix("at most ");
        let (number, unit) = most.unwrap_or(span).split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        let end =
            self.scene.now + Duration::from_millis(number * if unit == "s" { 1000 } else { 1 });
        while let Some(next) = self.scene.node.endpoint.poll_timeout().filter(|at| *at <= end) {
            self.scene.now = self.scene.now.max(next);
            self.collect();
            if most.is_some() && !self.sent.is_empty() {
                return;
            }
        }
        self.scene.now = end;
    }

    fn end(&mut self) {
        self.quiet_before("the end");
        self.scene.run_ms(Duration::from_secs(100).as_millis());
        self.collect();
        self.quiet_before("all is over");
        self.scene.assert_idle();
    }
}

fn name_of(heard: &Heard) -> String {
    match heard {
        Heard::Registered(expires_s) => format!("registered {expires_s}"),
        Heard::RegistrationFailed(reason, retry) => {
            format!("registration failed {reason:?} {retry:?}")
        }
        Heard::Unregistered => "unregistered".to_owned(),
        Heard::Bindings(Ok(text)) => format!("bindings {}", text.matches("Contact: ").count()),
        Heard::Bindings(Err(reason)) => format!("bindings {reason:?}"),
        Heard::Incoming(_) => "incoming".to_owned(),
        Heard::Progress(_, status) => format!("progress {status}"),
        Heard::Media(_, stage, plan) => {
            format!("media {stage:?} {:?} {}", plan.direction, plan.remote)
        }
        Heard::Established(_) => "established".to_owned(),
        Heard::Request(_, text) => format!("request {}", text.split(' ').next().unwrap()),
        Heard::Response(_, outcome, _) => format!("response {outcome:?}"),
        Heard::HoldFailed(_, reason) => format!("hold failed {reason:?}"),
        Heard::Ended(_, reason) => format!("ended {reason:?}"),
        Heard::Resolve(_, host, _) => format!("resolve {host}"),
    }
}
