#!/usr/bin/perl
# wavinfo.pl FILE...: of 16-bit WAV files the length, the level of each second (root mean square),
# and the strongest of a few test tones with its amplitude, measured in the middle.
use strict;
use warnings;
use List::Util qw(min sum0);

for my $file (@ARGV) {
  open my $handle, '<:raw', $file or die "$file: $!\n";
  my $bytes = do { local $/; <$handle> };
  my ($channels, $rate) = unpack 'x22 v V', $bytes;
  my @all = unpack 's<*', substr $bytes, index($bytes, 'data') + 8;
  my @samples = map { $all[$_ * $channels] } 0 .. int(@all / $channels) - 1;
  my @levels;
  for (my $at = 0; $at + $rate <= @samples; $at += $rate) {
    push @levels, int sqrt(sum0(map { $_ * $_ } @samples[$at .. $at + $rate - 1]) / $rate);
  }
  my $from = int(@samples / 3);
  my @middle = @samples[$from .. min($from + $rate, scalar @samples) - 1];
  my ($tone, $amplitude) = (0, 0);
  for my $hz (350, 440, 600, 700, 941, 1004, 1209) {
    my $found = strength($hz, $rate, \@middle);
    ($tone, $amplitude) = ($hz, $found) if $found > $amplitude;
  }
  printf "%s seconds=%.2f rate=%d levels=%s tone=%d amplitude=%.0f\n",
    $file, @samples / $rate, $rate, join(',', @levels), $tone, $amplitude;
}

sub strength { # amplitude of one frequency
  my ($hz, $rate, $samples) = @_;
  my ($cos, $sin, $step) = (0, 0, 2 * atan2(0, -1) * $hz / $rate);
  for my $i (0 .. $#$samples) {
    $cos += $samples->[$i] * cos($step * $i);
    $sin += $samples->[$i] * sin($step * $i);
  }
  return @$samples ? 2 * sqrt($cos**2 + $sin**2) / @$samples : 0;
}
