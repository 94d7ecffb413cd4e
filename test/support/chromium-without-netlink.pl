#!/usr/bin/perl
# Runs the Chromium named in CHROMIUM with no word from the kernel of interfaces that come and go.
#
# Chromium fails requests under way with ERR_NETWORK_CHANGED at such word, and each container that a test beside it
# starts or ends is an interface. A visitor's browser is on another machine and sees none of them. Refused a netlink
# socket, Chromium takes the network as it is and stays with that (net/base/address_tracker_linux.cc).
use strict;
use warnings;
use Errno qw(EACCES);
use POSIX ();

# <asm/unistd.h>: prctl and socket.
my %system_calls = (x86_64 => [157, 41], aarch64 => [167, 198]);
# <sys/socket.h>, <linux/prctl.h>, <linux/seccomp.h>
my ($AF_NETLINK, $PR_SET_NO_NEW_PRIVS, $PR_SET_SECCOMP, $SECCOMP_MODE_FILTER) = (16, 38, 22, 2);
my ($ALLOW, $ERRNO) = (0x7fff0000, 0x00050000);
# <linux/filter.h>: load a word of struct seccomp_data (0: number of the call, 16: its first argument), jump unless
# equal, return.
my ($LOAD, $JUMP_EQUAL, $RETURN) = (0x20, 0x15, 0x06);

my $machine = (POSIX::uname())[4];
my ($prctl, $socket) = @{ $system_calls{$machine} or die "no system call numbers are known here for $machine\n" };

my $filter = join '', map { pack 'S C C L', @$_ } (
  [$LOAD, 0, 0, 0],
  [$JUMP_EQUAL, 0, 3, $socket],
  [$LOAD, 0, 0, 16],
  [$JUMP_EQUAL, 0, 1, $AF_NETLINK],
  [$RETURN, 0, 0, $ERRNO | EACCES],
  [$RETURN, 0, 0, $ALLOW],
);
my $program = pack 'S x6 P', length($filter) / 8, $filter;
syscall($prctl, $PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 or die "no_new_privs: $!\n";
syscall($prctl, $PR_SET_SECCOMP, $SECCOMP_MODE_FILTER, $program, 0, 0) == 0 or die "seccomp filter: $!\n";
# The last list of features counts, and the one there is not ours to write, so this is added to it: a process kept ready
# for the next site costs half a second of processor time for each that a page opens.
s/^--disable-features=.*\K/,SpareRendererForSitePerProcess/ for @ARGV;
my $chromium = $ENV{CHROMIUM} or die "CHROMIUM names no program\n";
exec $chromium, @ARGV or die "$chromium: $!\n";
