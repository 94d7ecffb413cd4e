#!/usr/bin/perl
# Fills the container's own layer. QUERY_STRING is a way and how much, as in `bytes+8`:
# bytes: MiB in one file; files: so many empty ones; closed: MiB in a file
# of a folder that its owner may not read; deep: MiB in a file below more folders than a path can name;
# deleted: MiB in a file without a name that a process holds open for ten minutes; mapped: the same, held by a mapping;
# mapped-low: by one of a page, at an address with leading zeros;
# moving: MiB in a file below folders that are renamed all the time, for a minute;
# crowd: the same as deleted, behind more open files of other processes than anybody looks through;
# crowd-maps: the same as deleted, behind many mappings of another process.
require '/attacks/system-calls.pl';

my ($way, $much) = split /\+/, $ENV{QUERY_STRING};
my $folder = "/www/fill-$way";

sub fill {
  my ($name) = @_;
  open my $file, '+>', $name or die "$name: $!";
  syswrite $file, "\0" x 1048576 or die "$name: $!" for 1 .. $much;
  return $file;
}

# Goes on in another process, and then holds what is open for a while; the web server waits until nobody has its pipe.
sub stay {
  my ($work) = @_;
  my $keeper = fork // die "fork: $!";
  return if $keeper;
  close $_ for *STDIN, *STDOUT, *STDERR;
  $work->() if $work;
  sleep 600;
  exit 0;
}

# Waits until other processes have done it.
sub in_others {
  my ($count, $work) = @_;
  for (1 .. $count) {
    pipe my $done, my $tell or die "pipe: $!";
    stay(sub { $work->(); close $tell; });
    close $tell;
    readline $done;
  }
}

mkdir $folder or die "$folder: $!";
chdir $folder or die "$folder: $!";
if ($way eq 'bytes') {
  fill('file');
} elsif ($way eq 'files') {
  open my $file, '>', $_ or die "$_: $!" for 1 .. $much;
} elsif ($way eq 'closed') {
  mkdir 'closed' and chdir 'closed' or die "mkdir: $!";
  fill('file');
  chmod 0300, '.' or die "chmod: $!";
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
} elsif ($way eq 'mapped-low') {
  my $file = fill('file');
  my $mapped = call('mmap', 0x10000, 4096, 1, 0x11, fileno $file, 0);
  die "mmap: $mapped" if !defined $mapped || $mapped < 0;
  unlink 'file' or die "unlink: $!";
  close $file;
  stay();
} elsif ($way eq 'moving') {
  mkdir 'a' and chdir 'a' or die "mkdir: $!" for 1 .. 10;
  fill('file');
  for (1 .. 10) {
    chdir '..';
    stay(sub {
      my $end = time + 60;
      while (time < $end) { rename 'a', 'b'; rename 'b', 'a' }
      exit 0;
    });
  }
} elsif ($way =~ /^crowd/) {
  my ($null, @held);
  open $null, '<', '/dev/null' or die "/dev/null: $!";
  # As many as a process may have.
  in_others(3, sub { while (open my $copy, '<&', $null) { push @held, $copy } }) if $way eq 'crowd';
  in_others(1, sub { 0 < call('mmap', 0, 4096, 1, 33, -1, 0) or last for 1 .. 21_000 }) if $way eq 'crowd-maps';
  my $file = fill('file');
  unlink 'file' or die "unlink: $!";
  stay();
}
print "filled\n";
