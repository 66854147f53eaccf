#!/usr/bin/perl
# baresip-ctl.pl IP PORT [SECONDS] COMMAND [PARAMETERS]: one command to a baresip's control port,
# its answer, and every event for SECONDS (0.5), one JSON object a line.
# Commands: dial URI, accept, hangup, hold, resume, mute, sndcode DIGIT, transfer URI, reginfo;
# `events` only listens.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes 'time';

my ($ip, $port) = splice @ARGV, 0, 2;
my $seconds = ($ARGV[0] // '') =~ /^[\d.]+$/ ? shift : 0.5;
my ($command, @parameters) = @ARGV;
defined $command or die "usage: baresip-ctl.pl IP PORT [SECONDS] COMMAND [PARAMETERS]\n";
my $socket = IO::Socket::INET->new(PeerAddr => $ip, PeerPort => $port, Proto => 'tcp', Timeout => 5)
  or die "no baresip on $ip:$port: $@\n";

if ($command ne 'events') {
  my $text = "@parameters";
  $text =~ s/(["\\])/\\$1/g;
  my $json = qq({"command":"$command","params":"$text","token":"1"});
  print $socket length($json) . ":$json,"; # a netstring
  $socket->flush;
}

my $select = IO::Select->new($socket);
my ($buffer, $end) = ('', time + $seconds);
while ((my $left = $end - time) > 0) {
  next unless $select->can_read($left);
  sysread($socket, my $bytes, 65536) or last;
  $buffer .= $bytes;
  while ($buffer =~ /^(\d+):/ && length $buffer >= length($1) + 2 + $1) {
    print substr($buffer, length($1) + 1, $1), "\n";
    substr($buffer, 0, length($1) + 2 + $1) = '';
  }
}
