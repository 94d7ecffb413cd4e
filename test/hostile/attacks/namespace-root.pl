#!/usr/bin/perl
# Becomes root in name spaces of its own, and as such writes firewall rules, mounts an overlay, and opens a packet socket.
require '/attacks/system-calls.pl';

my ($NEWNS, $NEWUSER, $NEWNET, $SIGCHLD) = (0x00020000, 0x10000000, 0x40000000, 17);
my ($AF_NETLINK, $SOCK_RAW, $NETLINK_NETFILTER, $AF_PACKET) = (16, 3, 12, 17);
my $all = $NEWUSER | $NEWNET | $NEWNS;

# In a process of its own, whose end takes the name spaces along.
sub inside_of {
  my ($how, $enter) = @_;
  my $child = fork // die "fork: $!";
  if (!$child) {
    my $entered = $enter->();
    as_root($how) if report($how, $entered);
    exit 0;
  }
  waitpid $child, 0;
}

sub as_root {
  my ($how) = @_;
  report("$how: nf_tables", new_table());
  mkdir "/tmp/$_" for my @folders = map { "$how-$_" } qw(lower upper work merged);
  my ($lower, $upper, $work, $merged) = map { "/tmp/$_" } @folders;
  report("$how: overlay", call('mount', "overlay\0", "$merged\0", "overlay\0", 0,
    "lowerdir=$lower,upperdir=$upper,workdir=$work,userxattr\0"));
  report("$how: packet socket", call('socket', $AF_PACKET, $SOCK_RAW, 0));
}

# <linux/netfilter/nf_tables.h>: a batch that makes a table.
sub new_table {
  my $fd = call('socket', $AF_NETLINK, $SOCK_RAW, $NETLINK_NETFILTER);
  return $fd if !defined $fd || $fd < 0;
  open my $socket, '+<&=', $fd or return -$!;
  my $message = sub {
    my ($type, $flags, $family, $resource, $body) = @_;
    my $payload = pack('C C n', $family, 0, $resource) . $body;
    return pack('L S S L L', 16 + length $payload, $type, $flags, 1, 0) . $payload;
  };
  my $name = pack('S S a8', 12, 1, 'hostile');
  my $batch = $message->(16, 1, 0, 10, '') . $message->((10 << 8) | 0, 0x405, 2, 0, $name) . $message->(17, 1, 0, 10, '');
  syswrite($socket, $batch) // return -$!;
  sysread($socket, my $answer, 4096) // return -$!;
  # NLMSG_ERROR, with 0 for success.
  return unpack 'x16 l', $answer;
}

inside_of('unshare', sub { call('unshare', $all) });
# As fork does it: the parent only waits.
inside_of('clone', sub {
  my $child = call('clone', $all | $SIGCHLD, 0, 0, 0, 0);
  return $child unless $child;
  if ($child > 0) { waitpid $child, 0; exit 0 }
  return $child;
});
# struct clone_args of <linux/sched.h>; flags first, the signal fifth.
inside_of('clone3', sub {
  my $child = call('clone3', pack('Q11', $all, 0, 0, 0, $SIGCHLD, 0, 0, 0, 0, 0, 0), 88);
  return $child unless $child;
  if ($child > 0) { waitpid $child, 0; exit 0 }
  return $child;
});
