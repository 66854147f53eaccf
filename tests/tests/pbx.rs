//! What the PBX's numbers do, seen from a phone over a good network.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use sansip::endpoint::{CallId, Reason, Reply};
use sansip::time::Duration;
use sansip_sim::phone::{Operation, PhoneOptions, Talk};
use sansip_sim::world::{NodeId, World};

struct Scene {
    world: World,
    pbx: NodeId,
    phone: NodeId,
}

fn phone_at(world: &mut World, pbx: NodeId, user: &str) -> NodeId {
    let server = world.address(pbx);
    let options = PhoneOptions::registered(user, &format!("test{user}"), server);
    let phone = world.add_phone(options);
    world.perform(phone, Operation::Register).unwrap();
    assert!(world.run_until(Duration::from_secs(5), |world| {
        world.phone(phone).unwrap().is_registered()
    }));
    phone
}

fn scene() -> Scene {
    let mut world = World::new(1);
    if std::env::var("SIM_TRACE").is_ok() {
        world.print_trace();
    }
    let pbx = world.add_pbx(8);
    let phone = phone_at(&mut world, pbx, "100");
    Scene { world, pbx, phone }
}

impl Scene {
    fn call(&mut self, number: &str) -> CallId {
        let target = number.to_owned();
        let call = Operation::Call { target, late_offer: false };
        match self.world.perform(self.phone, call).unwrap() {
            Reply::Call(call) => call,
            other => panic!("{other:?}"),
        }
    }

    fn talk(&self, call: CallId) -> &Talk {
        self.world.phone(self.phone).unwrap().call(call).unwrap()
    }

    fn answered(&mut self, number: &str) -> CallId {
        let call = self.call(number);
        let phone = self.phone;
        let up = self.world.run_until(Duration::from_secs(5), |world| {
            world.phone(phone).unwrap().call(call).unwrap().is_up()
        });
        assert!(up, "{:?}", self.talk(call));
        call
    }

    fn press(&mut self, call: CallId, digits: &str) {
        self.world.perform(self.phone, Operation::Digits(call, digits.to_owned())).unwrap();
    }

    fn end(mut self) {
        let phones = [self.phone];
        for phone in phones {
            if let Some(call) = self.world.current_call(phone) {
                self.world.perform(phone, Operation::HangUp(call)).unwrap();
            }
        }
        self.world.run(Duration::from_secs(40));
        assert_eq!(self.world.settle(), []);
        assert_eq!(self.world.pbx(self.pbx).unwrap().calls(), 0);
    }
}

#[test]
fn it_lists_and_removes_single_bindings() {
    let Scene { mut world, pbx, phone } = scene();
    let second = phone_at(&mut world, pbx, "100");
    let now = world.now();
    assert_eq!(world.pbx(pbx).unwrap().bindings(now, "100").len(), 2);
    world.perform(second, Operation::Unregister).unwrap();
    world.run(Duration::from_secs(1));
    let left = world.pbx(pbx).unwrap().bindings(now, "100");
    let address = world.address(phone).to_string();
    assert!(matches!(left.as_slice(), [contact] if contact.contains(&address)), "{left:?}");
    world.run(Duration::from_secs(40));
    assert_eq!(world.settle(), []);
}

#[test]
fn a_wrong_password_or_an_unknown_account_is_refused() {
    let mut world = World::new(1);
    let pbx = world.add_pbx(2);
    let server = world.address(pbx);
    let wrong = world.add_phone(PhoneOptions::registered("100", "guess", server));
    let unknown = world.add_phone(PhoneOptions::registered("999", "test999", server));
    world.perform(wrong, Operation::Register).unwrap();
    world.perform(unknown, Operation::Register).unwrap();
    world.run(Duration::from_secs(10));
    assert!(!world.phone(wrong).unwrap().is_registered());
    assert!(!world.phone(unknown).unwrap().is_registered());
}

#[test]
fn echo_returns_sound_and_digits() {
    let mut scene = scene();
    let call = scene.answered("600");
    scene.world.run(Duration::from_secs(1));
    assert!(scene.talk(call).loudness > 0);
    scene.press(call, "12#");
    scene.world.run(Duration::from_secs(4));
    assert_eq!(scene.talk(call).digits, "12#");
    scene.world.perform(scene.phone, Operation::Mute(call, true)).unwrap();
    scene.world.run(Duration::from_secs(1));
    assert_eq!(scene.talk(call).loudness, 0);
    scene.end();
}

#[test]
fn a_tone_is_heard_on_601_and_before_the_answer_on_609() {
    let mut first = scene();
    let call = first.answered("601");
    first.world.run(Duration::from_secs(1));
    assert!(first.talk(call).loudness > 0);
    first.end();
    let mut second = scene();
    let call = second.call("609");
    second.world.run(Duration::from_millis(1500));
    assert!(!second.talk(call).established);
    assert!(second.talk(call).loudness > 0);
    second.world.run(Duration::from_secs(1));
    assert!(second.talk(call).is_up());
    second.end();
}

#[test]
fn digits_are_read_and_reported() {
    for (number, digits) in [("602", "4711"), ("622", "1234567890*#ABCD")] {
        let mut scene = scene();
        let call = scene.answered(number);
        scene.press(call, digits);
        scene.world.run(Duration::from_secs(10));
        let line = format!("digits {digits} at {number} from 100");
        assert!(scene.world.pbx_lines().contains(&line), "{:?}", scene.world.pbx_lines());
        assert_eq!(scene.talk(call).ended, Some(Reason::PeerHungUp));
        scene.end();
    }
}

#[test]
fn digits_are_sent_by_605() {
    let mut scene = scene();
    let call = scene.answered("605");
    scene.world.run(Duration::from_secs(6));
    assert_eq!(scene.talk(call).digits, "1234#");
    scene.end();
}

#[test]
fn busy_unknown_and_absent_numbers_are_refused() {
    for (number, status) in [("606", 486), ("777", 404), ("105", 480)] {
        let mut scene = scene();
        let call = scene.call(number);
        scene.world.run(Duration::from_secs(2));
        assert_eq!(scene.talk(call).ended, Some(Reason::Rejected(status)), "{number}");
        scene.end();
    }
}

#[test]
fn a_call_that_rings_for_ever_can_be_cancelled() {
    let mut scene = scene();
    let call = scene.call("607");
    scene.world.run(Duration::from_secs(20));
    assert!(scene.talk(call).ended.is_none() && !scene.talk(call).established);
    scene.world.perform(scene.phone, Operation::HangUp(call)).unwrap();
    scene.world.run(Duration::from_secs(1));
    assert_eq!(scene.talk(call).ended, Some(Reason::Cancelled));
    scene.end();
}

#[test]
fn it_hangs_up_after_two_seconds_on_608() {
    let mut scene = scene();
    let call = scene.answered("608");
    scene.world.run(Duration::from_millis(1500));
    assert!(scene.talk(call).is_up());
    scene.world.run(Duration::from_secs(1));
    assert_eq!(scene.talk(call).ended, Some(Reason::PeerHungUp));
    scene.end();
}

#[test]
fn two_phones_talk_through_it() {
    let mut scene = scene();
    let other = phone_at(&mut scene.world, scene.pbx, "101");
    let call = scene.call("101");
    scene.world.run(Duration::from_secs(1));
    let incoming = scene.world.current_call(other).unwrap();
    scene.world.perform(other, Operation::Ring(incoming)).unwrap();
    scene.world.run(Duration::from_secs(1));
    scene.world.perform(other, Operation::Answer(incoming)).unwrap();
    scene.world.run(Duration::from_secs(2));
    assert!(scene.talk(call).is_up() && scene.talk(call).loudness > 0);
    let heard = scene.world.phone(other).unwrap().call(incoming).unwrap().loudness;
    assert!(heard > 0);
    scene.press(call, "77");
    scene.world.run(Duration::from_secs(3));
    assert_eq!(scene.world.phone(other).unwrap().call(incoming).unwrap().digits, "77");
    scene.world.perform(other, Operation::HangUp(incoming)).unwrap();
    scene.world.run(Duration::from_secs(1));
    assert_eq!(scene.talk(call).ended, Some(Reason::PeerHungUp));
    scene.end();
}
