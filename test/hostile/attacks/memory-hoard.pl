#!/usr/bin/perl
# Takes memory until the kernel ends it, and begins again, for as many seconds as QUERY_STRING says.
require '/attacks/system-calls.pl';
require '/attacks/database.pl';

my $end = time + $ENV{QUERY_STRING};
go_on_alone();
while (time < $end) {
  my $child = fork;
  if (!defined $child) { sleep 1; next }
  if (!$child) {
    my @held;
    push @held, 'x' x 1048576 while time < $end;
    exit 0;
  }
  waitpid $child, 0;
}
