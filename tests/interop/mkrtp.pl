#!/usr/bin/perl
# mkrtp.pl DIGITS OUT.pcap [HZ]: one continuous RTP stream for SIPp's play_pcap_audio: a second of
# A-law (a tone of HZ, else silence), DIGITS as RFC 4733 events of payload type 101 (160 ms, three
# end packets, 120 ms between), a second more. SIPp's own dtmf_2833_*.pcap start sequence and
# timestamp anew at each digit, which Asterisk drops as old packets.
use strict;
use warnings;

my ($digits, $out, $hz) = @ARGV;
my %event = (map({ $_ => $_ } 0 .. 9), '*' => 10, '#' => 11, A => 12, B => 13, C => 14, D => 15);
my ($sequence, $timestamp, $ms, $marker) = (1000, 160000, 0, 1);
my @frames;

audio(50);
for my $digit (split //, $digits) {
  my $start = $timestamp;
  my $code = $event{$digit} // die "no event for '$digit'\n";
  for my $part (1 .. 8) {
    packet(101, $part == 1, $start, pack 'CCn', $code, 10, 160 * $part);
    $ms += 20;
    $timestamp += 160;
  }
  packet(101, 0, $start, pack 'CCn', $code, 0x80 | 10, 160 * 8) for 1 .. 3;
  audio(6);
}
audio(50);

open my $file, '>:raw', $out or die "$out: $!\n";
print $file pack 'LSSlLLL', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1;
for (@frames) {
  my ($at, $frame) = @$_;
  print $file pack('LLLL', 1 + int $at / 1000, $at % 1000 * 1000, (length $frame) x 2), $frame;
}

sub audio { # a number of 20 ms packets
  for (1 .. $_[0]) {
    my @samples = map { $hz ? 8000 * sin(2 * atan2(0, -1) * $hz * ($timestamp + $_) / 8000) : 0 } 0 .. 159;
    packet(8, $marker, $timestamp, join '', map { chr alaw(int $_) } @samples);
    $marker = 0;
    $timestamp += 160;
    $ms += 20;
  }
}

sub packet { # as Ethernet, IP and UDP carry it; SIPp replaces the addresses
  my ($type, $marked, $stamp, $payload) = @_;
  my $rtp = pack('CCnNN', 0x80, ($marked ? 0x80 : 0) | $type, $sequence++ & 0xffff, $stamp, 0x5155aa01) . $payload;
  my $udp = pack('nnnn', 20000, 20000, 8 + length $rtp, 0) . $rtp;
  my $ip = pack('CCnnnCCnC4C4', 0x45, 0, 20 + length $udp, 0, 0x4000, 64, 17, 0, 127, 0, 0, 1, 127, 0, 0, 1) . $udp;
  push @frames, [$ms, "\0" x 12 . pack('n', 0x0800) . $ip];
}

sub alaw { # ITU-T G.711: sign, three bits of segment, four bits of position, even bits inverted
  my $value = shift;
  my $sign = $value >= 0 ? 0x80 : 0;
  my $magnitude = ($value >= 0 ? $value : -$value - 1) >> 3;
  my $segment = 0;
  $segment++ while $segment < 7 && $magnitude >> ($segment + 5);
  return ($sign | $segment << 4 | ($magnitude >> ($segment || 1)) & 0x0f) ^ 0x55;
}
