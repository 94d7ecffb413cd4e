#!/usr/bin/perl
# Every process makes another as often as it can, for as many seconds as QUERY_STRING says; `once`: only until it is
# refused one.
require '/attacks/system-calls.pl';
require '/attacks/database.pl';

if ($ENV{QUERY_STRING} eq 'once') {
  # They count until they are waited for.
  while (defined(my $child = fork)) { exit 0 unless $child }
  1 while wait > 0;
  print "refused\n";
  exit 0;
}
my $end = time + $ENV{QUERY_STRING};
go_on_alone();
fork while time < $end;
