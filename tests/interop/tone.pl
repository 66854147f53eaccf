#!/usr/bin/perl
# tone.pl HZ SECONDS >FILE.wav: a sine of amplitude 8000, 8 kHz, 16 bit, mono.
use strict;
use warnings;
my ($hz, $seconds) = @ARGV;
my $data = pack 's<*', map { int 8000 * sin(2 * atan2(0, -1) * $hz * $_ / 8000) } 0 .. 8000 * $seconds - 1;
binmode STDOUT;
print 'RIFF', pack('V', 36 + length $data), 'WAVEfmt ', pack('VvvVVvv', 16, 1, 1, 8000, 16000, 2, 16),
  'data', pack('V', length $data), $data;
