#!/usr/bin/perl
# Opens a socket of every address family there is, of every part of the kernel that speaks netlink, and of every protocol
# on IPv4 and IPv6; and pairs of sockets. Tells which it got, and how the others were refused.
require '/attacks/system-calls.pl';

my ($SOCK_STREAM, $SOCK_DGRAM, $SOCK_RAW, $SOCK_SEQPACKET) = (1, 2, 3, 5);
my ($AF_INET, $AF_NETLINK, $AF_INET6, $LAST_FAMILY) = (2, 16, 10, 46);

# The best that any kind of socket gives.
sub any {
  my ($call, $family, $protocol, @kinds) = @_;
  my $answer;
  for my $kind (@kinds) {
    my $fd = call($call, $family, $kind, $protocol, $call eq 'socketpair' ? "\0" x 8 : ());
    return $fd if defined $fd && $fd >= 0;
    $answer = $fd unless defined $answer && $answer != -94;
  }
  return $answer;
}

my @kinds = ($SOCK_STREAM, $SOCK_DGRAM, $SOCK_RAW, $SOCK_SEQPACKET);
report("family $_", any('socket', $_, 0, @kinds)) for 0 .. $LAST_FAMILY, 255;
report("netlink $_", any('socket', $AF_NETLINK, $_, $SOCK_RAW)) for 0 .. 22;
report("ipv4 $_", any('socket', $AF_INET, $_, @kinds)) for 0, 1, 6, 17, 33, 115, 132, 136, 256, 262;
report("ipv6 $_", any('socket', $AF_INET6, $_, @kinds)) for 0, 6, 17, 33, 58, 115, 132, 136, 256, 262;
report("pair $_", any('socketpair', $_, 0, $SOCK_STREAM, $SOCK_SEQPACKET)) for 1, $AF_INET, 30, 38, 40;
