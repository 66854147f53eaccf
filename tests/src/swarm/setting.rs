//! The world that a profile asks for: who stands between the phones, and how phones are set up.

use sansip::storage::Limits;
use sansip::time::Duration;

use super::{Fault, Run, Topology};
use crate::attacker::Attacker;
use crate::phone::PhoneOptions;
use crate::random::{Random, Stream};
use crate::server::{Asked, ServerOptions};

impl Run {
    pub(super) fn build(&mut self) {
        let mut random = Random::new(self.profile.seed, Stream::Server);
        self.middle = match self.profile.topology {
            Topology::Direct => None,
            Topology::Pbx => Some(self.world.add_pbx(32)),
            Topology::Server => {
                let mut options = ServerOptions::new(([0, 0, 0, 0], 0).into());
                let asked = [Asked::Md5, Asked::Sha256, Asked::Both];
                options.asked = random.pick(&asked).copied().unwrap_or(Asked::Both);
                options.qop = random.chance(0.8);
                options.challenges_calls = random.chance(0.7);
                options.record_route = random.chance(0.7) || self.profile.has(Fault::NatRebinding);
                options.nonce_life = Duration::from_secs(random.within(10..=600));
                options.expires_max_s = random.within(60..=900) as u32;
                options.rewrites_contacts = random.chance(0.2);
                if self.profile.has(Fault::NameFailures) || random.chance(0.2) {
                    options.name = SERVER_NAME.to_owned();
                }
                let server = self.world.add_server(options);
                let members = (0..self.profile.phones).map(user_name);
                if let Some(server) = self.world.server_mut(server) {
                    server.add_group(GROUP, members.take(GROUP_MAX).collect());
                }
                self.world.name(SERVER_NAME, self.world.address(server));
                Some(server)
            }
        };
        for number in 0..self.profile.phones {
            let user = user_name(number);
            let mut options = self.phone_options(&user, &mut random);
            if self.profile.has(Fault::TinyMemory) && random.chance(0.5) {
                options.limits = tiny(&mut random);
            }
            let password = options.password.clone();
            let phone = self.world.add_phone(options);
            if let (Topology::Server, Some(server)) = (self.profile.topology, self.middle) {
                self.world.add_account(server, &user, &password);
                let nat = self.profile.has(Fault::NatRebinding) && !self.profile.media;
                if nat && random.chance(0.5) {
                    self.world.put_behind_nat(phone);
                }
            }
            // It can still be called at its inner address, as by a neighbour. A router that changes
            // its ports in between is for phones with a server, which a neighbour cannot follow.
            let calm = !self.profile.media && !self.profile.has(Fault::NatRebinding);
            if self.profile.topology == Topology::Direct && calm && random.chance(0.2) {
                self.world.put_behind_nat(phone);
            }
            self.phones.push(phone);
        }
        if self.profile.has(Fault::Unreachable) {
            self.nowhere = Some(self.world.add_address());
        }
        if self.profile.has(Fault::Attacker) {
            let address = self.world.add_address();
            let address = self.world.address(address);
            let random = Random::new(self.profile.seed, Stream::Attacker);
            let proxy = self.middle.filter(|_| self.profile.topology == Topology::Server);
            let spared = proxy.map(|proxy| self.world.address(proxy));
            self.attacker = Some(Attacker::new(address, random, spared));
            self.world.tap();
        }
    }

    fn phone_options(&self, user: &str, random: &mut Random) -> PhoneOptions {
        let media = self.profile.media;
        let options = match self.middle {
            None => PhoneOptions::new(user),
            Some(middle) => {
                let address = self.world.address(middle);
                let server = self.world.server(middle);
                let name = server.map(|server| server.options().name.clone());
                PhoneOptions {
                    server_name: name.unwrap_or_default(),
                    ..PhoneOptions::registered(user, &format!("test{user}"), address)
                }
            }
        };
        let expires_s = random.within(60..=600) as u32;
        let answer_limit = Duration::from_secs(60);
        let ring_limit = Duration::from_secs(random.within(20..=90));
        PhoneOptions { media, expires_s, answer_limit, ring_limit, ..options }
    }
}

fn user_name(number: u8) -> String {
    (100 + u16::from(number)).to_string()
}

/// Memory that is often full.
fn tiny(random: &mut Random) -> Limits {
    let calls = random.within(1..=2) as usize;
    Limits {
        accounts: 1,
        calls,
        transactions: random.within(3..=8) as usize,
        buffers: random.within(3..=8) as usize,
        text_bytes: 512,
        message_bytes: 1500,
    }
}

/// A number that rings several phones, and how many at most.
pub(super) const GROUP: &str = "700";
const GROUP_MAX: usize = 5;
const SERVER_NAME: &str = "sip.example.com";
