#!/usr/bin/perl
# Makes the system calls it is told of, `name,argument,…` with `+` between, each in a process of its own, since some change
# the one that makes them.
require '/attacks/system-calls.pl';

for my $wanted (split /\+/, $ENV{QUERY_STRING}) {
  my ($name, @arguments) = split /,/, $wanted;
  my $child = fork // die "fork: $!";
  if (!$child) {
    # Texts are passed by address, numbers by value.
    my $answer = call($name, map { /^-?\d+$/ ? $_ + 0 : "$_\0" } @arguments);
    # clone: the other half ends here, silent.
    exit 0 if $name eq 'clone' && defined $answer && $answer == 0;
    report($wanted, $answer);
    exit 0;
  }
  waitpid $child, 0;
  print "$wanted killed\n" if $? & 127;
}
