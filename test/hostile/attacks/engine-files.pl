#!/usr/bin/perl
# Tries to write to the files that the engine mounts into a container, and that lie on the host's disk or in its memory:
# as they are, and after giving itself the right to. One line for each: `kept` or `changed`.
require '/attacks/system-calls.pl';

for my $path (qw(/etc/hosts /etc/hostname /etc/resolv.conf /run/.containerenv)) {
  next unless -e $path;
  for my $right (0, 1) {
    chmod 0666, $path if $right;
    chown 0, 0, $path if $right;
    open my $file, '>>', $path or next;
    syswrite $file, "written by an instance\n";
    close $file;
  }
  truncate $path, 1048576;
  open my $file, '<', $path or die "$path: $!";
  my $text = join '', <$file>;
  print "$path ", length $text < 65536 && $text !~ /written by an instance/ ? 'kept' : 'changed', "\n";
}
