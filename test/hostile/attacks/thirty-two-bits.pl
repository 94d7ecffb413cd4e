#!/usr/bin/perl
# Makes system calls as a program of 32 bits does, whose numbers are others, and where one call stands for all that have to
# do with sockets. Programs of a few bytes each make them; they end with the number of the error.
require '/attacks/system-calls.pl';

for my $what ('socket', 'socketcall') {
  my $ended = system "/attacks/$what-of-32-bits";
  print $ended & 127 ? "$what killed\n" : "$what " . ($ended == 0 ? 'done' : $ended >> 8) . "\n";
}
