#!/usr/bin/perl
# Writes as many lines of one byte as QUERY_STRING says to where the app's own output goes.
require '/attacks/system-calls.pl';

open my $output, '>', '/proc/1/fd/1' or die "output: $!";
syswrite $output, "\n" or die "output: $!" for 1 .. $ENV{QUERY_STRING};
print "written\n";
