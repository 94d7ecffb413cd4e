# Calls functions of a running process, from outside, in a thread of it that waits in a system call (x86-64). It needs
# the right to trace it, and none to open files of its user.
# Reads lines:
#   thread TID NUMBER... / NUMBER...    the thread, the system calls that it may be waiting in, and those in which it is
#                                   left as it is instead
#   call ADDRESS ARGUMENT...        i:NUMBER, t:HEX (the address of that text), b:0 (of 64 bytes that last until the next
#                                   thread), r:N (what the Nth call in this thread returned)
#   call? ADDRESS ARGUMENT...       the same, and where 0 is returned the rest of this thread's calls are left out
# It ends with 0 when every call returned, with words on standard error otherwise.
use strict;
use warnings;
no warnings 'portable';

use constant { WAIT4 => 61, PTRACE => 101, PROCESS_VM_WRITEV => 311 };
use constant { CONT => 7, GETREGS => 12, SETREGS => 13, DETACH => 17, SEIZE => 0x4206, INTERRUPT => 0x4207 };
# The words of the kernel's struct user_regs_struct, and which of them are a function's arguments.
use constant { WORDS => 27, RAX => 10, ORIG_RAX => 15, RIP => 16, FLAGS => 18, RSP => 19 };
my @arguments = (14, 13, 12, 11, 9, 8);
use constant { WAIT_FOR_THREADS => 0x40000000, SIGSEGV => 11, BACKWARDS => 0x400 };
# Below its stack pointer a function may use as many bytes without saying so.
use constant RED_ZONE => 128;
use constant { LIMIT_S => 15, TRIES => 2000, PAUSE_S => 0.005 };

my ($thread, $before, @results, $skip, $top, $memory64);

sub trace {
    my ($request, $data) = @_;
    syscall(PTRACE, $request, $thread, 0, $data // 0) != -1 or die "thread $thread: ptrace $request: $!\n";
}

sub registers {
    my $words = pack 'q' . WORDS, (0) x WORDS;
    syscall(PTRACE, GETREGS, $thread, 0, $words) != -1 or die "thread $thread: registers: $!\n";
    return unpack 'q' . WORDS, $words;
}

# Waits until the thread stands; returns the signal that is to be delivered to it, if there is one.
sub stopped {
    my $status = pack 'l', 0;
    syscall(WAIT4, $thread, $status, WAIT_FOR_THREADS, 0) == $thread or die "thread $thread: wait: $!\n";
    $status = unpack 'l', $status;
    ($status & 0xff) == 0x7f or die "thread $thread ended\n";
    return $status >> 16 ? 0 : $status >> 8 & 0xff;
}

sub place {
    my ($bytes) = @_;
    $top = ($top - length $bytes) & ~15;
    my ($here, $there) = (pack('PQ', $bytes, length $bytes), pack('QQ', $top, length $bytes));
    my $written = syscall(PROCESS_VM_WRITEV, $thread, $here, 1, $there, 1, 0);
    $written == length $bytes or die "thread $thread: memory: $!\n";
    return $top;
}

# A thread that waits holds no lock of an allocator or a library that a call could wait for. Returns whether it is to
# be called in.
sub hold {
    my ($waits, $leaves) = @_;
    for (1 .. TRIES) {
        trace(SEIZE);
        trace(INTERRUPT);
        my $signal = stopped();
        my @now = registers();
        if ($signal == 0 && $waits->{$now[ORIG_RAX]}) {
            $before = \@now;
            $top = $now[RSP] - RED_ZONE;
            $memory64 = place("\0" x 64);
            return 1;
        }
        trace(DETACH, $signal);
        return 0 if $leaves->{$now[ORIG_RAX]};
        select undef, undef, undef, PAUSE_S;
    }
    die "thread $thread is never at rest\n";
}

# As if nothing had been: the system call goes on, or is begun again, as after any stop.
sub release {
    return unless defined $before;
    trace(SETREGS, pack 'q' . WORDS, @$before);
    trace(DETACH);
    undef $before;
}

sub value {
    my ($kind, $what) = split /:/, $_[0], 2;
    return place(pack('H*', $what) . "\0") if $kind eq 't';
    return $memory64 if $kind eq 'b';
    return $results[$what - 1] if $kind eq 'r';
    return $what;
}

sub call {
    my ($address, @values) = @_;
    my $free = $top;
    my @in = @$before;
    @in[@arguments[0 .. $#values]] = map { value($_) } @values if @values;
    # It returns to 0, where nothing is: the fault says that it has returned.
    my $frame = place("\0" x 16) + 8;
    @in[RAX, ORIG_RAX, RIP, RSP] = (0, -1, $address, $frame);
    $in[FLAGS] &= ~BACKWARDS;
    trace(SETREGS, pack 'q' . WORDS, @in);
    my $signal = 0;
    while (1) {
        trace(CONT, $signal);
        $signal = stopped();
        next unless $signal == SIGSEGV;
        my @after = registers();
        die "thread $thread: a call crashed\n" if $after[RIP] != 0;
        $top = $free;
        return $after[RAX];
    }
}

$SIG{ALRM} = sub { die "thread $thread: no call returned within ${\LIMIT_S} s\n" };
alarm LIMIT_S;
while (my $line = <STDIN>) {
    my ($word, @rest) = split ' ', $line;
    if ($word eq 'thread') {
        release();
        $thread = shift(@rest) + 0;
        my ($waits, $leaves) = map { +{ map { $_ => 1 } split } } split m{/}, "@rest ";
        @results = ();
        $skip = !hold($waits, $leaves // {});
    } elsif (!$skip) {
        push @results, call(hex shift @rest, @rest);
        $skip = $word eq 'call?' && $results[-1] == 0;
    }
}
release();
