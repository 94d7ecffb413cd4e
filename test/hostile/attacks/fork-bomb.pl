#!/usr/bin/perl
# Every process makes another as often as it can, for as many seconds as QUERY_STRING says.
require '/attacks/system-calls.pl';
require '/attacks/database.pl';

my $end = time + $ENV{QUERY_STRING};
go_on_alone();
fork while time < $end;
