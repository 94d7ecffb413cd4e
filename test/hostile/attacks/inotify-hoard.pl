#!/usr/bin/perl
# Takes as many inotify instances as QUERY_STRING says, and keeps them for a minute after it has told how many it got.
require '/attacks/system-calls.pl';

my $got = 0;
while ($got < $ENV{QUERY_STRING}) {
  last if call('inotify_init1', 0) < 0;
  $got++;
}
my $keeper = fork // die "fork: $!";
if (!$keeper) {
  # The web server waits until nobody holds its pipe.
  close $_ for *STDIN, *STDOUT, *STDERR;
  sleep 60;
  exit 0;
}
print "inotify instances: $got\n";
