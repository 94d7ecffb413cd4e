#!/usr/bin/perl
# Fills the host's table of connections. QUERY_STRING: an address; how many datagrams it is sent, each to another port;
# and how many connections are begun there and left half open. Tells how many of each the kernel took.
my ($address, $datagrams, $half_open) = split /\+/, $ENV{QUERY_STRING};
my ($AF_INET, $SOCK_STREAM, $SOCK_DGRAM, $F_SETFL, $O_NONBLOCK) = (2, 1, 2, 4, 0x800);
my $to = sub { pack 'S n C4 x8', $AF_INET, $_[0], split /\./, $address };

socket my $flood, $AF_INET, $SOCK_DGRAM, 0 or die "socket: $!";
my $sent = 0;
for my $port (1 .. $datagrams) {
  # An answer that nobody listens there is told at the next attempt.
  $sent++ if defined send($flood, 'x', 0, $to->(10000 + $port)) || defined send($flood, 'x', 0, $to->(10000 + $port));
}
my @open;
for my $port (1 .. $half_open) {
  socket my $each, $AF_INET, $SOCK_STREAM, 0 or last;
  fcntl $each, $F_SETFL, $O_NONBLOCK or die "fcntl: $!";
  connect $each, $to->(10000 + $port);
  push @open, $each;
}
$| = 1;
print "Content-Type: text/plain\r\n\r\n" if $ENV{GATEWAY_INTERFACE};
print "datagrams $sent\nhalf open ", scalar @open, "\n";
