#!/usr/bin/perl
# Asks the name server at an address so many times from one socket, at ten times a millisecond, and prints how many
# answers came: name-flood.pl ADDRESS COUNT
use strict; use warnings; use IO::Socket::INET; use IO::Select; use Time::HiRes qw(usleep);
my ($address, $count) = @ARGV;
my $socket = IO::Socket::INET->new(PeerAddr => $address, PeerPort => 53, Proto => 'udp') or die "no socket: $!";
my $name = join('', map { chr(length($_)) . $_ } split /\./, 'nobody.example.org') . chr(0);
my ($answers, $ready, $answer) = (0, IO::Select->new($socket));
sub take { while ($ready->can_read($_[0])) { last unless defined $socket->recv($answer, 512); $answers++ } }
for my $id (1 .. $count) {
  $socket->send(pack('n6', $id & 0xffff, 0x0100, 1, 0, 0, 0) . $name . pack('n2', 1, 1));
  take(0);
  usleep(100) unless $id % 10;
}
take(1);
print "$answers\n";
