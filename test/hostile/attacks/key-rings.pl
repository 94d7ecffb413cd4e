#!/usr/bin/perl
# Leaves a message in the key ring of its user, reads one that another process of that user left, or takes it away: in
# QUERY_STRING, `write+NAME+TEXT`, `read+NAME` or `remove+NAME`.
my $library = '/attacks/system-calls.pl';
require(-e $library ? $library : './system-calls.pl');

# <linux/keyctl.h>. What is found is linked to the process, which may read it then.
my ($PROCESS_KEYRING, $USER_KEYRING, $UNLINK, $SEARCH, $READ) = (-2, -4, 9, 10, 11);
my ($what, $name, $text) = split /\+/, $ENV{QUERY_STRING};

if ($what eq 'write') {
  report('write', call('add_key', "user\0", "$name\0", $text, length $text, $USER_KEYRING));
} else {
  my $key = call('keyctl', $SEARCH, $USER_KEYRING, "user\0", "$name\0", $PROCESS_KEYRING);
  if ($key < 0) {
    report($what, $key);
  } elsif ($what eq 'remove') {
    report('remove', call('keyctl', $UNLINK, $key, $USER_KEYRING));
  } else {
    my $length = call('keyctl', $READ, $key, "\0" x 256, 256);
    report('read', $length);
    print 'found ', substr($sent[2], 0, $length), "\n" if $length > 0;
  }
}
