#!/usr/bin/perl
# A page as apps have it: it reads the instance's own database.
require '/attacks/database.pl';

my $wrong = eval { query(login(), 'SELECT id, text FROM notes') } // $@;
print $wrong eq '' ? "Content-Type: text/html\r\n\r\n<h1>Notes</h1>\n" : "Status: 500\r\n\r\n$wrong\n";
