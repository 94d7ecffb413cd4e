<?php
add_action('wp_enqueue_scripts', fn () => wp_enqueue_style('shop-window', get_stylesheet_uri(), [], '1.0'));
