<?php
// What is this instance's own, handed over once by activation: written by activate.php, read by everything else.

const OWN_FOLDER = '/tmp/try-it-now';
const OWN_FILE = OWN_FOLDER . '/own.php';

/** The parameter of the address that lets the visitor in without a password, and the hash of what it has to be; gone once used. */
const FIRST_STEP = 'try_it_now_first_step';
const FIRST_STEP_FILE = OWN_FOLDER . '/first-step';

/** The site address in the seed; activation puts the instance's own in its place. */
const SEED_URL = 'http://shop.invalid';

/** The same for the same seed and purpose, and telling nothing of another purpose's: 64 hexadecimal digits. */
function derive(string $seed, string $purpose): string
{
    return hash_hmac('sha256', $purpose, hex2bin($seed));
}

/** Twelve letters and digits in three groups, none of them mistaken for another: 60 bits. */
function readable_password(string $hex): string
{
    $alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';
    $letters = '';
    foreach (array_slice(unpack('C*', hex2bin($hex)), 0, 12) as $byte) {
        $letters .= $alphabet[$byte & 31];
    }
    return implode('-', str_split($letters, 4));
}
