//! Digest credentials: who gets them, and how a challenged request is sent again.

use crate::digest::{Algorithm, Offered, Parameters, Qop, Secret, answerable};
use crate::limits::CREDENTIALS_MAX;
use crate::path::Path;
use crate::random::Purpose as Draw;
use crate::sip::{Challenge, Credentials, HeaderName, Message, NameAddr, Uri, Writer};
use crate::table::Id;
use crate::text::Lent;

use super::accounts::{set_text, texts_of};
use super::compose::{Again, Branch, hex_text, method_of, write_again};
use super::dialogs::{address_of, read_uri};
use super::receive::Received;
use super::slots::{Machine, account_text as field};
use super::transactions::Opening;
use super::{Endpoint, Reason};

/// What is remembered of the last challenge of one kind; its texts stand with the account's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cached {
    algorithm: Option<Algorithm>,
    /// The challenge named the algorithm; some servers compare, so we do what they did.
    named: bool,
    /// `qop=auth`; else none.
    auth: bool,
    /// How often the nonce was used.
    count: u32,
}

/// A server's challenge with 401, and a proxy's with 407.
const KINDS: [(HeaderName<'static>, HeaderName<'static>); 2] = [
    (HeaderName::WwwAuthenticate, HeaderName::Authorization),
    (HeaderName::ProxyAuthenticate, HeaderName::ProxyAuthorization),
];

impl Endpoint<'_> {
    /// Send a challenged request again with credentials. The same slot serves, but for an INVITE,
    /// whose old slot must go on acknowledging: there the new slot is the answer.
    pub(super) fn retry_with_credentials(
        &mut self,
        old: Id,
        received: &Received<'_>,
    ) -> Result<Id, Reason> {
        let slot = self.transactions.get(old).ok_or(Reason::NoRoom)?;
        let is_invite = matches!(&slot.machine, Machine::ClientInvite(_));
        let account = slot.account.ok_or(Reason::AuthenticationFailed)?;
        let (kinds, counts) = self.learn_challenges(account, old, received.message)?;
        let random = self.random.u64(Draw::Branch);
        let id = if is_invite { self.fresh_slot(old, random)? } else { old };
        let branch = self.branch_with(id, random);
        let cnonce = self.random.u64(Draw::Cnonce);
        let cseq = self.next_cseq(old);
        let written = self.write_retry(old, account, (branch, cseq), kinds, cnonce);
        let launched = written.and_then(|()| {
            self.transactions.update(id, |slot| {
                slot.random = random;
                slot.cseq = cseq;
                slot.given = counts;
                slot.since = self.now;
            });
            self.launch(id).map_err(|_| Reason::NoRoom)
        });
        if let Err(reason) = launched {
            if is_invite {
                self.close_transaction(id);
            }
            return Err(reason);
        }
        Ok(id)
    }

    /// The CSeq of the next try. In a dialog other requests may have taken the next numbers.
    fn next_cseq(&mut self, old: Id) -> u32 {
        let Some(slot) = self.transactions.get(old) else { return 0 };
        let (call, last) = (slot.call, slot.cseq);
        let dialog = call.and_then(|call| self.calls.get(call)).map(|slot| slot.dialog);
        let in_dialog = dialog.and_then(|dialog| {
            self.dialogs.update(dialog, |slot| {
                slot.local_cseq = slot.local_cseq.max(last) + 1;
                slot.local_cseq
            })
        });
        in_dialog.unwrap_or(last + 1)
    }

    fn fresh_slot(&mut self, old: Id, random: u64) -> Result<Id, Reason> {
        let slot = self.transactions.get(old).ok_or(Reason::NoRoom)?;
        let (purpose, account, call, path) = (slot.purpose, slot.account, slot.call, slot.path);
        let path = path.as_ref();
        let opening = Opening { purpose, account, call, path, random, ..Opening::default() };
        self.open_transaction(&opening).ok_or(Reason::NoRoom)
    }

    /// Remember what is challenged, if the challenger may have our credentials. Answers which
    /// kinds of credentials the next try needs, those asked for and those that it had, and how
    /// often each was made for a challenge by then.
    #[inline(never)]
    fn learn_challenges(
        &mut self,
        account: Id,
        old: Id,
        message: &Message<'_>,
    ) -> Result<([bool; 2], [u8; 2]), Reason> {
        let slot = self.transactions.get(old).ok_or(Reason::NoRoom)?;
        let path = slot.path.as_ref().ok_or(Reason::AuthenticationFailed)?;
        let mut counts = slot.given;
        let request = &self.kept_message(old);
        let request = request.as_ref().ok_or(Reason::AuthenticationFailed)?;
        if !self.is_our_server(account, path, request) {
            self.stats.challenges_refused += 1;
            return Err(Reason::AuthenticationFailed);
        }
        let allow_md5 = self.accounts.get(account).is_some_and(|slot| slot.allow_md5);
        let (mut kinds, mut chosen) = ([false; 2], [None; 2]);
        let places = kinds.iter_mut().zip(&mut counts).zip(&mut chosen);
        for (kind, ((needed, count), challenge)) in places.enumerate() {
            let Some((ask, give)) = KINDS.get(kind) else { break };
            let before = &request.header(*give).map(Credentials::parse);
            let before = before.as_ref().and_then(|before| before.as_ref().ok());
            *needed = before.is_some();
            let realm = self.expected_realm(account, kind);
            if !best_challenge(message, *ask, realm, allow_md5, challenge) {
                self.doubt_realm(account, kind);
                return Err(Reason::AuthenticationFailed);
            }
            if let Some(challenge) = challenge {
                let is_old = before.is_some_and(|before| {
                    let same_nonce = before.nonce() == challenge.nonce();
                    !challenge.stale() && (*count > 0 || same_nonce)
                });
                if is_old || *count >= CREDENTIALS_MAX {
                    return Err(Reason::AuthenticationFailed);
                }
                *count += 1;
                *needed = true;
            }
        }
        if chosen.iter().all(Option::is_none) {
            return Err(Reason::AuthenticationFailed);
        }
        for (kind, challenge) in chosen.iter().enumerate() {
            if let Some(challenge) = challenge {
                self.remember_challenge(account, kind, challenge)?;
            }
        }
        Ok((kinds, counts))
    }

    /// Keep realm, nonce and opaque of a challenge in the account's text.
    fn remember_challenge(
        &mut self,
        account: Id,
        kind: usize,
        challenge: &Challenge<'_>,
    ) -> Result<(), Reason> {
        let algorithm = Algorithm::parse(challenge.algorithm().unwrap_or(b"MD5"));
        let cached = Cached {
            algorithm,
            named: challenge.algorithm().is_some(),
            auth: challenge.qop().is_some(),
            count: 0,
        };
        self.cache(account, kind, Cached::default()); // where it is too long
        let texts = [challenge.realm(), challenge.nonce(), challenge.opaque()];
        for (text, which) in texts.iter().zip(field::CHALLENGES + kind * 3..) {
            let text = text.unwrap_or(b"");
            set_text(&mut self.accounts, &mut self.account_text, account, which, text)
                .map_err(|_| Reason::TooLong)?;
        }
        self.cache(account, kind, cached);
        Ok(())
    }

    /// Begin the next REGISTER without credentials, as if nothing had challenged yet: a challenge
    /// that was damaged on its way may be why the last one failed, and no answer would say so. The
    /// realm that challenged first goes only where nothing shows that it was the true one.
    pub(super) fn forget_challenges(&mut self, account: Id) {
        let is_proven = self.is_registered(account);
        for kind in 0..KINDS.len() {
            self.cache(account, kind, Cached::default());
            if !is_proven {
                self.forget_realm(account, kind);
            }
        }
    }

    /// Our server names another realm than at first: one of the two was damaged on its way. This
    /// request fails, the next may learn anew. A registration proves the realm of a 401.
    fn doubt_realm(&mut self, account: Id, kind: usize) {
        if kind != 0 || !self.is_registered(account) {
            self.cache(account, kind, Cached::default());
            self.forget_realm(account, kind);
        }
    }

    fn is_registered(&self, account: Id) -> bool {
        let slot = self.accounts.get(account);
        slot.is_some_and(|slot| slot.registration.is_registered(self.now))
    }

    fn forget_realm(&mut self, account: Id, kind: usize) {
        let which = field::CHALLENGES + kind * 3;
        let _ = set_text(&mut self.accounts, &mut self.account_text, account, which, b""); // fits
    }

    fn cache(&mut self, account: Id, kind: usize, cached: Cached) {
        self.accounts.update(account, |slot| {
            if let Some(place) = slot.challenges.get_mut(kind) {
                *place = cached;
            }
        });
    }

    /// The only realm that may get credentials: the configured one, or the one that challenged
    /// first. Empty while none did.
    fn expected_realm(&self, account: Id, kind: usize) -> &[u8] {
        let configured = self.account_field(account, field::REALM);
        if configured.is_empty() {
            self.account_field(account, field::CHALLENGES + kind * 3)
        } else {
            configured
        }
    }

    /// Whether whoever is at the other end of `path` is the account's own server, and not a peer
    /// that challenges us to get a digest. Inside a dialog the server must also be the remote
    /// target itself: behind a proxy it is the peer who asks.
    fn is_our_server(&self, account: Id, path: &Path, request: &Message<'_>) -> bool {
        let Some(slot) = self.accounts.get(account) else { return false };
        let Some(target) = request.uri().and_then(read_uri) else { return false };
        let leads_there =
            |uri: &Uri<'_>| address_of(uri, path.transport).map(|address| path.leads_to(&address));
        let server = self.server_uri(account).and_then(read_uri);
        let named = server.as_ref().and_then(leads_there);
        let known = slot.server.as_ref().is_some_and(|server| path.leads_to(&server.remote));
        let is_server = known || named == Some(true);
        let to = request.header(HeaderName::To).and_then(|to| NameAddr::parse(to).ok());
        if to.is_some_and(|to| to.tag().is_some()) {
            return is_server && leads_there(&target) == Some(true);
        }
        // a host name that we looked up for this very request names the server as well
        let Some(server) = server else { return false };
        let same_host = match (server.host(), target.host()) {
            (Some(a), Some(b)) => a.as_bytes().eq_ignore_ascii_case(b.as_bytes()),
            _ => false,
        };
        is_server || named.is_none() && same_host
    }

    /// Put the next try into the draft.
    #[inline(never)]
    fn write_retry(
        &mut self,
        old: Id,
        account: Id,
        (branch, cseq): (Branch, u32),
        kinds: [bool; 2],
        cnonce: u64,
    ) -> Result<(), Reason> {
        self.use_challenges(account, kinds);
        let slot = self.transactions.get(old).ok_or(Reason::NoRoom)?;
        let path = slot.path.as_ref().ok_or(Reason::AuthenticationFailed)?;
        let buffer = slot.message.as_ref().ok_or(Reason::NoRoom)?;
        let old = &Message::parse(self.buffers.get(buffer));
        let old = old.as_ref().map_err(|_| Reason::ProtocolError)?;
        let account_slot = self.accounts.get(account).ok_or(Reason::AccountRemoved)?;
        let given = Given {
            account: texts_of(&self.accounts, &self.account_text, Some(account)),
            method: method_of(old),
            uri: old.uri().unwrap_or(b""),
            cnonce,
        };
        let mut writer = self.draft.begin();
        write_again(&mut writer, old, &Again::retry(path, branch, cseq));
        given.write_all(&mut writer, &account_slot.challenges, kinds);
        let finished = match old.header(HeaderName::ContentType) {
            Some(kind) if !old.body().is_empty() => writer.finish_with_body(kind, old.body()),
            _ => writer.finish(),
        };
        self.draft.end(finished).map_err(|_| Reason::TooLong)
    }

    /// Count one more use of the challenges of these kinds. Credentials for a new request from those
    /// of before save a round trip each.
    pub(super) fn use_challenges(&mut self, account: Id, kinds: [bool; 2]) {
        self.accounts.update(account, |slot| {
            for (cached, needed) in slot.challenges.iter_mut().zip(&kinds) {
                cached.count += u32::from(*needed && cached.algorithm.is_some());
            }
        });
    }
}

/// Put the strongest challenge of one kind that we can and may answer into `best`, if there is any;
/// `false` where there are some and none of them is.
fn best_challenge<'m>(
    message: &Message<'m>,
    ask: HeaderName<'static>,
    realm: &[u8],
    allow_md5: bool,
    best: &mut Option<Challenge<'m>>,
) -> bool {
    let mut is_asked = false;
    let mut strongest = None;
    for challenge in message.challenges(ask) {
        is_asked = true;
        let fits = challenge.is_digest()
            && challenge.nonce().is_some()
            && (realm.is_empty() || challenge.realm() == Some(realm));
        let algorithm = answerable(&Offered::from(&challenge), allow_md5);
        if fits && algorithm > strongest {
            (strongest, *best) = (algorithm, Some(challenge));
        }
    }
    !is_asked || best.is_some()
}

/// What credentials are made from, beside the challenge.
pub(super) struct Given<'x> {
    pub(super) account: Lent<'x>,
    pub(super) method: &'x [u8],
    pub(super) uri: &'x [u8],
    pub(super) cnonce: u64,
}

impl Given<'_> {
    /// Write credentials of these kinds, where there was a challenge of the kind.
    pub(super) fn write_all(
        &self,
        writer: &mut Writer<'_>,
        challenges: &[Cached; 2],
        kinds: [bool; 2],
    ) {
        for (kind, (cached, needed)) in challenges.iter().zip(&kinds).enumerate() {
            if *needed {
                self.write(writer, kind, cached);
            }
        }
    }

    /// Write Authorization (kind 0) or Proxy-Authorization (kind 1).
    fn write(&self, writer: &mut Writer<'_>, kind: usize, cached: &Cached) {
        let (Some(algorithm), Some((_, header))) = (cached.algorithm, KINDS.get(kind)) else {
            return;
        };
        let text = |which| self.account.get(which);
        let challenge = field::CHALLENGES + kind * 3;
        let (realm, nonce, opaque) = (text(challenge), text(challenge + 1), text(challenge + 2));
        let mut cnonce = [b'0'; 16];
        hex_text(self.cnonce, &mut cnonce);
        let parameters = Parameters {
            algorithm,
            username: text(field::AUTH_USER),
            realm,
            secret: Secret::Password(text(field::PASSWORD)),
            nonce,
            method: self.method,
            uri: self.uri,
            qop: if cached.auth { Qop::Auth } else { Qop::None },
            nc: cached.count,
            cnonce: &cnonce,
        };
        let credentials = crate::digest::Credentials {
            parameters,
            algorithm: cached.named.then_some(algorithm.name().as_bytes()),
            opaque: (!opaque.is_empty()).then_some(opaque),
        };
        writer.open(*header).filled(|room| credentials.write(room)).close();
    }
}
