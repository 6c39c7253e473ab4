<?php
/**
 * Plugin Name: embellie
 * Description: Recommended articles below each post, and what readers make of them, from your own embellie server.
 * Version: 1.0.0
 * Requires at least: 6.3
 * Requires PHP: 7.4
 * License: Apache-2.0
 *
 * Copy this file into wp-content/plugins/, activate it, and fill in Settings > embellie. An article's id is the address
 * WordPress gives as `guid` in its feed: let your server read that feed, and both speak of the same articles.
 */

if ( ! defined( 'ABSPATH' ) ) {
	exit;
}

const EMBELLIE_OPTION   = 'embellie';
const EMBELLIE_DEFAULTS = array(
	'server'    => '',
	'site'      => '',
	'key'       => '',
	'placement' => 'article-bottom',
	'reserve'   => '22rem',
	'tcf'       => '1',
);

/** The settings, each there. */
function embellie_settings() {
	$saved = get_option( EMBELLIE_OPTION, array() );
	return array_merge( EMBELLIE_DEFAULTS, is_array( $saved ) ? $saved : array() );
}

/** Whether this page is one post, shown to a reader, and all is filled in. */
function embellie_here() {
	$settings = embellie_settings();
	return is_singular( 'post' ) && ! is_preview() && ! is_feed()
		&& '' !== $settings['server'] && '' !== $settings['site'] && '' !== $settings['key'];
}

add_action( 'wp_enqueue_scripts', function () {
	if ( ! embellie_here() ) {
		return;
	}
	$settings = embellie_settings();
	wp_enqueue_script( 'embellie', $settings['server'] . '/widget/v1.js', array(), null, array( 'strategy' => 'async' ) );
	wp_register_style( 'embellie', false, array(), null );
	wp_enqueue_style( 'embellie' );
	// `reserve` was checked when it was saved: a number and a unit, nothing else.
	wp_add_inline_style( 'embellie', 'embellie-slate{display:block;min-height:' . $settings['reserve'] . '}' );
} );

// The tag of the script carries the settings.
add_filter( 'script_loader_tag', function ( $tag, $handle ) {
	if ( 'embellie' !== $handle ) {
		return $tag;
	}
	$settings   = embellie_settings();
	$attributes = sprintf(
		' data-site="%s" data-key="%s" data-article="%s"%s',
		esc_attr( $settings['site'] ),
		esc_attr( $settings['key'] ),
		esc_attr( get_the_guid( get_queried_object_id() ) ),
		'1' === $settings['tcf'] ? ' data-tcf' : ''
	);
	return str_replace( ' src=', $attributes . ' src=', $tag );
}, 10, 2 );

// The place of the slate, after the text of the post itself.
add_filter( 'the_content', function ( $content ) {
	if ( ! embellie_here() || ! in_the_loop() || ! is_main_query() ) {
		return $content;
	}
	$settings = embellie_settings();
	return $content . sprintf( '<embellie-slate placement="%s"></embellie-slate>', esc_attr( $settings['placement'] ) );
}, 20 );

add_action( 'admin_init', function () {
	register_setting( 'embellie', EMBELLIE_OPTION, array( 'type' => 'array', 'sanitize_callback' => 'embellie_checked' ) );
} );

add_action( 'admin_menu', function () {
	add_options_page( 'embellie', 'embellie', 'manage_options', 'embellie', 'embellie_page' );
} );

/** Keep only what can be right; what is not is left as it was, and said. */
function embellie_checked( $given ) {
	$given    = is_array( $given ) ? $given : array();
	$kept     = embellie_settings();
	$patterns = array(
		'server'    => '#^https?://[A-Za-z0-9.-]+(:[0-9]+)?$#',
		'site'      => '/^[A-Za-z0-9_.-]+$/',
		'key'       => '/^pk_[A-Za-z0-9_-]+$/',
		'placement' => '/^[A-Za-z0-9_.-]+$/',
		'reserve'   => '/^[0-9]+(\.[0-9]+)?(px|rem|em|vh)?$/',
	);
	foreach ( $patterns as $name => $pattern ) {
		$value = isset( $given[ $name ] ) ? untrailingslashit( sanitize_text_field( $given[ $name ] ) ) : '';
		if ( '' === $value || preg_match( $pattern, $value ) ) {
			$kept[ $name ] = '' === $value ? EMBELLIE_DEFAULTS[ $name ] : $value;
		} else {
			add_settings_error( EMBELLIE_OPTION, $name, sprintf( 'embellie: "%s" is no %s.', $value, $name ) );
		}
	}
	$kept['tcf'] = empty( $given['tcf'] ) ? '0' : '1';
	return $kept;
}

/** The page of settings. */
function embellie_page() {
	if ( ! current_user_can( 'manage_options' ) ) {
		return;
	}
	$settings = embellie_settings();
	$fields   = array(
		'server'    => 'Server, such as https://embellie.gazette.example',
		'site'      => 'Site, as in embellie.toml',
		'key'       => 'Public key (pk_…), as the server prints it',
		'placement' => 'Placement',
		'reserve'   => 'Room reserved for the slate',
	);
	?>
	<div class="wrap">
		<h1>embellie</h1>
		<form method="post" action="options.php">
			<?php settings_fields( 'embellie' ); ?>
			<table class="form-table" role="presentation">
				<?php foreach ( $fields as $name => $label ) : ?>
				<tr>
					<th scope="row"><label for="embellie-<?php echo esc_attr( $name ); ?>"><?php echo esc_html( $label ); ?></label></th>
					<td><input class="regular-text" id="embellie-<?php echo esc_attr( $name ); ?>"
						name="<?php echo esc_attr( EMBELLIE_OPTION . '[' . $name . ']' ); ?>"
						value="<?php echo esc_attr( $settings[ $name ] ); ?>"></td>
				</tr>
				<?php endforeach; ?>
				<tr>
					<th scope="row"><label for="embellie-tcf">Follow the site's consent tool (TCF)</label></th>
					<td><input type="checkbox" id="embellie-tcf" value="1"
						name="<?php echo esc_attr( EMBELLIE_OPTION . '[tcf]' ); ?>" <?php checked( '1', $settings['tcf'] ); ?>></td>
				</tr>
			</table>
			<?php submit_button(); ?>
		</form>
	</div>
	<?php
}
