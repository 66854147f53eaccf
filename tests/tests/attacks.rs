//! Which test stands for which attack, and that it is there. The numbers are those of the attack
//! list, B1 to B6; what is missing of it needs what the library does not have yet.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use sansip::sip::{Head, Message};
use sansip_sim::wire::Wire;

/// A file of the core and a function in it.
type Test = (&'static str, &'static str);

/// Number, what is tried, and the tests.
const TESTS: &[(u8, &str, &[Test])] = &[
    (
        2,
        "RFC 4475, 5118",
        &[("tests/torture.rs", "every_torture_message_gets_the_answer_that_the_rfc_names")],
    ),
    (
        3,
        "length ladder",
        &[
            ("tests/attacks.rs", "any_length_of_any_part_is_taken_whole_or_refused"),
            ("tests/torture.rs", "long_values_are_echoed_whole_or_not_at_all"),
        ],
    ),
    (4, "count ladder", &[("tests/attacks.rs", "any_count_of_any_header_is_seen_whole")]),
    (
        5,
        "control bytes",
        &[
            ("tests/attacks.rs", "a_control_byte_at_any_place_breaks_nothing_out"),
            ("tests/attacks.rs", "nothing_an_application_gives_can_end_a_header"),
        ],
    ),
    (
        6,
        "header smuggling",
        &[
            ("tests/attacks.rs", "a_name_with_a_foreign_byte_is_never_a_known_header"),
            ("tests/attacks.rs", "white_space_before_the_colon_does_not_hide_a_header"),
            ("tests/attacks.rs", "a_second_header_of_those_that_stand_once_is_refused"),
        ],
    ),
    (
        7,
        "mandatory headers",
        &[("tests/attacks.rs", "a_missing_mandatory_header_refuses_requests_and_responses")],
    ),
    (8, "number overflow", &[("tests/attacks.rs", "numbers_never_wrap_and_never_default")]),
    (9, "nesting", &[("tests/attacks.rs", "deep_nesting_needs_no_stack")]),
    (10, "escapes", &[("tests/attacks.rs", "escapes_are_total_and_never_become_line_ends")]),
    (
        11,
        "truncation",
        &[("tests/attacks.rs", "no_prefix_of_a_message_is_accepted_as_a_shorter_one")],
    ),
    (12, "line ends", &[("tests/attacks.rs", "bare_lf_ends_lines_and_bare_cr_refuses")]),
    (
        13,
        "differential",
        &[("../tests/tests/attacks.rs", "two_readers_agree_on_what_both_can_read")],
    ),
    (
        14,
        "splits",
        &[("tests/framing.rs", "pipelined_messages_come_out_the_same_however_they_arrive")],
    ),
    (
        15,
        "Content-Length",
        &[
            ("tests/framing.rs", "every_stream_error_is_the_same_byte_by_byte"),
            ("tests/framing.rs", "a_length_over_the_limit_is_refused_at_the_end_of_the_headers"),
        ],
    ),
    (
        17,
        "pings",
        &[("tests/framing.rs", "line_ends_between_messages_are_dropped_and_two_make_a_ping")],
    ),
    (
        18,
        "a request as a body",
        &[("tests/framing.rs", "a_body_is_never_read_as_a_message_within_its_length")],
    ),
    (
        20,
        "CANCEL",
        &[
            (
                "tests/endpoint_attacks/cancels.rs",
                "a_cancel_ends_only_the_call_of_whoever_sent_its_invite",
            ),
            ("tests/endpoint_attacks/cancels.rs", "a_cancel_with_require_is_not_refused"),
            (
                "tests/endpoint_attacks/cancels.rs",
                "a_cancel_of_something_else_than_an_invite_is_refused",
            ),
        ],
    ),
    (
        21,
        "ACK",
        &[
            ("tests/endpoint_attacks/acks.rs", "an_ack_for_nothing_is_never_answered"),
            ("tests/endpoint_attacks/acks.rs", "only_the_right_ack_silences_a_200"),
            (
                "tests/incoming/ends.rs",
                "an_ack_with_the_branch_of_the_invite_counts_only_with_the_tag_of_the_200",
            ),
            (
                "tests/incoming/ends.rs",
                "a_200_that_is_never_acknowledged_is_repeated_and_then_ends_the_call",
            ),
        ],
    ),
    (
        22,
        "2xx of forks",
        &[
            (
                "tests/endpoint_attacks/responses.rs",
                "a_flood_of_forks_that_answer_makes_one_call_and_a_few_byes",
            ),
            ("tests/endpoint_attacks/responses.rs", "a_2xx_is_acknowledged_as_often_as_it_comes"),
        ],
    ),
    (
        23,
        "stray responses",
        &[("tests/endpoint_attacks/responses.rs", "a_response_that_is_not_to_us_changes_nothing")],
    ),
    (
        24,
        "spoofed requests",
        &[
            ("tests/endpoint_attacks/inside.rs", "guessed_tags_reach_no_call"),
            (
                "tests/endpoint_attacks/inside.rs",
                "a_replayed_or_older_request_inside_a_call_is_refused",
            ),
        ],
    ),
    (
        25,
        "glare",
        &[
            ("tests/torture.rs", "a_second_invite_before_the_answer_to_the_first_is_told_to_wait"),
            ("tests/torture.rs", "a_change_while_our_offer_waits_for_its_answer_gets_491"),
        ],
    ),
    (
        26,
        "1xx flood",
        &[(
            "tests/endpoint_attacks/responses.rs",
            "a_flood_of_provisional_responses_with_new_tags_is_bounded",
        )],
    ),
    (
        27,
        "3xx loop",
        &[("tests/endpoint_attacks/responses.rs", "a_redirection_is_told_and_not_followed")],
    ),
    (
        28,
        "challenge loop",
        &[
            (
                "tests/registration/challenges.rs",
                "a_wrong_password_ends_the_registration_without_a_loop",
            ),
            ("tests/registration/challenges.rs", "a_stale_nonce_is_replaced_once"),
            ("tests/registration/challenges.rs", "of_several_challenges_the_strongest_is_answered"),
        ],
    ),
    (
        29,
        "digest leak",
        &[
            ("tests/outgoing/challenges.rs", "a_callee_that_is_not_our_server_gets_no_credentials"),
            (
                "tests/outgoing/challenges.rs",
                "a_callee_that_challenges_a_bye_or_re_invite_gets_no_credentials",
            ),
            ("tests/registration/challenges.rs", "another_realm_gets_no_credentials"),
        ],
    ),
    (
        30,
        "digest replay",
        &[
            ("src/digest/tests.rs", "a_request_that_is_replayed_is_stale"),
            ("src/digest/tests.rs", "a_nonce_that_is_old_early_foreign_or_forged_is_stale"),
            ("src/digest/tests.rs", "credentials_for_another_request_are_denied"),
        ],
    ),
    (
        31,
        "registration",
        &[
            ("tests/registration/life.rs", "a_200_without_our_contact_is_reported_and_tried_again"),
            ("tests/registration/life.rs", "an_absurd_or_missing_minimum_is_not_followed"),
            (
                "tests/registration/life.rs",
                "a_life_longer_than_was_asked_for_is_refreshed_as_if_it_were_not",
            ),
            ("tests/registration/ways.rs", "a_response_is_matched_by_its_branch_and_cseq_alone"),
        ],
    ),
    (
        32,
        "toll fraud",
        &[(
            "tests/endpoint_attacks/strangers.rs",
            "nobody_makes_us_call_out_or_answer_for_another",
        )],
    ),
    (
        33,
        "scanners",
        &[("tests/exhaustion.rs", "scanner_noise_refuses_nobody_and_disturbs_no_call")],
    ),
    (
        34,
        "amplification",
        &[("tests/exhaustion.rs", "a_forged_invite_is_amplified_by_no_more_than_the_rfc_demands")],
    ),
    (
        35,
        "hops and routes",
        &[
            (
                "tests/endpoint_attacks/strangers.rs",
                "odd_hops_and_routes_are_processed_as_the_rfc_says",
            ),
            (
                "tests/endpoint_attacks/strangers.rs",
                "nothing_is_ever_sent_to_broadcast_or_multicast",
            ),
        ],
    ),
    (
        36,
        "names",
        &[
            (
                "tests/registration/ways.rs",
                "a_name_that_cannot_be_resolved_fails_what_waits_for_it",
            ),
            ("tests/registration/ways.rs", "an_old_answer_of_the_resolver_changes_nothing"),
            ("tests/exhaustion.rs", "names_that_nobody_resolves_do_not_hold_their_slots"),
        ],
    ),
    (
        37,
        "NOTIFY without a subscription",
        &[("tests/torture.rs", "requests_inside_dialogs_that_do_not_exist_get_481")],
    ),
    (
        39,
        "clocks",
        &[("tests/exhaustion.rs", "a_clock_that_jumps_ends_what_is_over_and_nothing_else")],
    ),
    (
        40,
        "media descriptions",
        &[
            ("src/sdp/tests.rs", "numbers_that_are_none_are_refused_and_never_become_zero"),
            ("src/sdp/tests.rs", "every_stream_is_answered_in_its_place"),
            ("src/sdp/tests.rs", "nothing_is_sent_to_an_address_of_many_or_of_none"),
            ("src/sdp/tests.rs", "any_ptime_gives_a_frame_that_a_session_can_hold"),
        ],
    ),
    (
        42,
        "versions of a session",
        &[("src/sdp/tests.rs", "an_identical_or_older_or_foreign_offer_gives_the_same_plan")],
    ),
    (
        43,
        "injected sound",
        &[
            ("src/media/session/tests/receiving.rs", "an_injector_is_neither_heard_nor_sent_to"),
            ("src/media/latch_tests.rs", "an_injector_before_the_first_good_packet_gains_nothing"),
        ],
    ),
    (
        44,
        "RTP headers",
        &[
            ("src/media/session/tests/receiving.rs", "garbage_is_counted_and_dropped"),
            ("src/rtp/packet_tests.rs", "contributing_sources_beyond_the_end_are_refused"),
            ("src/rtp/packet_tests.rs", "an_extension_beyond_the_end_is_refused"),
        ],
    ),
    (
        45,
        "RTCP",
        &[
            ("src/rtp/rtcp/tests.rs", "a_length_of_zero_advances_by_one_word"),
            ("src/rtp/rtcp/tests.rs", "ten_thousand_tiny_packets_are_read_one_by_one"),
            (
                "src/media/session/tests/receiving.rs",
                "a_goodbye_of_the_true_source_only_shortens_the_wait",
            ),
        ],
    ),
    (
        46,
        "jitter buffer",
        &[
            ("src/media/jitter_tests.rs", "a_jumped_timeline_is_followed_within_500_ms"),
            (
                "src/media/jitter_tests.rs",
                "after_a_flood_at_ten_times_the_rate_the_stream_recovers",
            ),
            (
                "src/media/session/tests/receiving.rs",
                "alternating_sources_do_not_take_the_stream_over",
            ),
        ],
    ),
    (
        47,
        "digits",
        &[
            ("src/media/digits_in_tests.rs", "thirty_end_packets_are_one_digit"),
            ("src/media/digits_in_tests.rs", "reordered_and_late_reports_invent_nothing"),
            (
                "src/media/session/tests/digits.rs",
                "digits_at_two_hundred_a_second_are_bounded_and_counted",
            ),
        ],
    ),
    (
        51,
        "pools",
        &[("tests/exhaustion.rs", "every_pool_runs_out_with_an_answer_and_fills_up_again")],
    ),
    (52, "back-pressure", &[("tests/exhaustion.rs", "an_ack_is_never_lost_to_back_pressure")]),
    (
        53,
        "restarts",
        &[
            ("tests/exhaustion.rs", "a_peer_that_restarted_answers_481_and_the_call_ends"),
            ("tests/exhaustion.rs", "registrations_that_fail_together_spread_out"),
        ],
    ),
];

/// What has no test of its own, and why.
const WITHOUT: &[(u8, &str)] = &[
    (1, "a public suite that is not in this repository"),
    (16, "needs streams"),
    (19, "needs streams"),
    (38, "INFO is the application's"),
    (41, "needs SRTP"),
    (48, "digits in the sound itself are not read"),
    (49, "needs SRTP"),
    (50, "needs ICE"),
    (54, "fuzz/smoke.sh and the simulator"),
];

fn core() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core")
}

#[test]
fn every_attack_has_its_test_or_a_reason() {
    let numbers = TESTS.iter().map(|(number, ..)| *number);
    let mut numbers: Vec<_> = numbers.chain(WITHOUT.iter().map(|(number, _)| *number)).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=54).collect::<Vec<_>>());
    for (number, what, tests) in TESTS {
        assert!(!tests.is_empty());
        for (file, name) in *tests {
            let text = std::fs::read_to_string(core().join(file)).expect(file);
            assert!(
                text.contains(&format!("fn {name}(")),
                "B{number} {what}: {file} has no {name}"
            );
        }
    }
}

/// The simulator's reader shares no code with the library; where both read a message, they must
/// read the same (B13).
#[test]
fn two_readers_agree_on_what_both_can_read() {
    let vectors = core().join("../tests/vectors");
    let mut folders = vec![vectors];
    let (mut both, mut library_alone) = (0, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let Ok(message) = Message::parse(&bytes) else { continue };
            let Ok(head) = Head::parse(&message) else { continue };
            let Some(wire) = Wire::read(&bytes).filter(|wire| wire.cseq().is_some()) else {
                library_alone += 1; // folded, LF only or not UTF-8: the second reader does not try
                continue;
            };
            both += 1;
            let text = |value: Option<&str>| value.map(|value| value.as_bytes().to_vec());
            let name = path.display();
            assert_eq!(text(wire.call_id()).as_deref(), Some(head.call_id), "{name}");
            assert_eq!(wire.cseq().map(|(number, _)| number), Some(head.cseq.number), "{name}");
            assert_eq!(text(wire.method()).as_deref(), Some(head.cseq.method.as_bytes()), "{name}");
            assert_eq!(text(wire.branch()).as_deref(), head.via.branch(), "{name}");
            assert_eq!(text(wire.from_tag()).as_deref(), head.from_tag, "{name}");
            assert_eq!(text(wire.to_tag()).as_deref(), head.to_tag, "{name}");
            assert_eq!(wire.is_request(), head.uri.is_some(), "{name}");
            assert_eq!(wire.body, message.body(), "{name}");
        }
    }
    assert!(both >= 30, "{both} read by both, {library_alone} by the library alone");
}
