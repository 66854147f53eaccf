//! Ways to hosts: known at once, or asked of the driver.

use crate::path::{Path, Transport};
use crate::sip::Uri;
use crate::table::Id;

use super::dialogs::{address_of, read_uri, transport_of};
use super::slots::{Purpose, Resolving};
use super::{Endpoint, QueryId, Reason};

/// Whose question a query is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asker {
    Account(Id),
    Call(Id),
    Request(Id),
}

impl QueryId {
    pub(super) fn new(asker: Asker) -> Self {
        let (kind, id) = match asker {
            Asker::Account(id) => (0, id),
            Asker::Call(id) => (1, id),
            Asker::Request(id) => (2, id),
        };
        Self(kind << 32 | u64::from(id.number()))
    }

    fn asker(self) -> Option<Asker> {
        let id = Id::from_number(self.0 as u32)?;
        match self.0 >> 32 {
            0 => Some(Asker::Account(id)),
            1 => Some(Asker::Call(id)),
            2 => Some(Asker::Request(id)),
            _ => None,
        }
    }
}

impl Endpoint<'_> {
    /// The way to a URI, where it names an address and we know our own.
    pub(super) fn known_path(&self, uri: &Uri<'_>) -> Option<Path> {
        let transport = transport_of(uri).unwrap_or_default();
        if transport != Transport::Udp {
            return None; // the driver opens connections
        }
        let local = self.config.local?;
        Some(Path::udp(local, address_of(uri, transport)?))
    }

    /// Find the way to the account's server; `false` while the driver is asked.
    pub(super) fn find_server_path(&mut self, account: Id) -> bool {
        let uri = self.server_uri(account).and_then(read_uri);
        let known = uri.and_then(|uri| self.known_path(&uri));
        self.accounts.update(account, |slot| {
            slot.server = known;
            if known.is_none() && slot.resolving == Resolving::No {
                slot.resolving = Resolving::Wanted;
            }
        });
        known.is_some()
    }

    #[inline(never)]
    pub(super) fn resolved(&mut self, query: QueryId, targets: &[Path]) {
        let path = targets.first().copied();
        match query.asker() {
            Some(Asker::Account(id)) => self.account_resolved(id, path),
            Some(Asker::Call(id)) => self.call_resolved(id, path),
            Some(Asker::Request(id)) => self.request_resolved(id, path),
            None => {}
        }
    }

    fn account_resolved(&mut self, id: Id, path: Option<Path>) {
        let Some(slot) = self.accounts.get(id) else { return };
        if slot.resolving == Resolving::No {
            return;
        }
        self.accounts.update(id, |slot| {
            slot.resolving = Resolving::No;
            slot.server = path;
        });
        if path.is_some() {
            self.next_register(id);
            return;
        }
        let due = self.accounts.update(id, |slot| slot.registration.tick(self.now)).flatten();
        if due.is_some() {
            self.registration_failed(id, Reason::Unreachable, true, None);
        }
        if self.accounts.update(id, |slot| core::mem::take(&mut slot.query_wanted)) == Some(true) {
            self.tell_bindings(id, Err(Reason::Unreachable));
        }
    }

    fn request_resolved(&mut self, id: Id, path: Option<Path>) {
        let Some(slot) = self.transactions.get(id) else { return };
        if slot.resolving == Resolving::No || slot.purpose != Purpose::Request {
            return;
        }
        self.transactions.update(id, |slot| {
            slot.resolving = Resolving::No;
            slot.path = path;
        });
        let sent = match path {
            Some(path) => self.complete_request(id, path),
            None => Err(Reason::Unreachable),
        };
        if let Err(reason) = sent {
            self.request_over(id, Err(reason));
        }
    }
}
