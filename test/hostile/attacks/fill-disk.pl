#!/usr/bin/perl
# Fills the container's own layer. QUERY_STRING is a way and how much, as in `bytes+8`:
# bytes: MiB in one file; files: so many empty ones; deep: MiB in a file below more folders than a path can name;
# deleted: MiB in a file without a name that a process holds open for ten minutes; mapped: the same, held by a mapping.
require '/attacks/system-calls.pl';

my ($way, $much) = split /\+/, $ENV{QUERY_STRING};
my $folder = "/www/fill-$way";

sub fill {
  my ($name) = @_;
  open my $file, '+>', $name or die "$name: $!";
  syswrite $file, "\0" x 1048576 or die "$name: $!" for 1 .. $much;
  return $file;
}

# Holds what is open for a while; the web server waits until nobody has its pipe.
sub stay {
  my $keeper = fork // die "fork: $!";
  return if $keeper;
  close $_ for *STDIN, *STDOUT, *STDERR;
  sleep 600;
  exit 0;
}

mkdir $folder or die "$folder: $!";
chdir $folder or die "$folder: $!";
if ($way eq 'bytes') {
  fill('file');
} elsif ($way eq 'files') {
  open my $file, '>', $_ or die "$_: $!" for 1 .. $much;
} elsif ($way eq 'deep') {
  my $name = 'd' x 250;
  mkdir $name and chdir $name or die "mkdir: $!" for 1 .. 20;
  fill('file');
} elsif ($way eq 'deleted') {
  my $file = fill('file');
  unlink 'file' or die "unlink: $!";
  stay();
} elsif ($way eq 'mapped') {
  my $file = fill('file');
  my $mapped = call('mmap', 0, $much * 1048576, 1, 1, fileno $file, 0);
  die "mmap: $mapped" if !defined $mapped || $mapped < 0;
  unlink 'file' or die "unlink: $!";
  close $file;
  stay();
}
print "filled\n";
