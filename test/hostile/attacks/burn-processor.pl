#!/usr/bin/perl
# Computes for as many seconds as QUERY_STRING says, after it has answered.
require '/attacks/system-calls.pl';

my $worker = fork // die "fork: $!";
if (!$worker) {
  # The web server waits until nobody holds its pipe.
  close $_ for *STDIN, *STDOUT, *STDERR;
  my $end = time + $ENV{QUERY_STRING};
  1 while time < $end;
  exit 0;
}
print "computing\n";
