# The one way in: a load balancer with two names. Of webhook_host one path and one method reach the
# webhook role; of console_host all goes through Identity-Aware Proxy. Nothing listens on port 80.
resource "google_compute_global_address" "entrance" {
  name = "tillbox-entrance"

  depends_on = [google_project_service.this]
}

resource "google_compute_managed_ssl_certificate" "entrance" {
  name = "tillbox-entrance"

  managed {
    domains = [var.webhook_host, var.console_host]
  }

  depends_on = [google_project_service.this]
}

resource "google_compute_ssl_policy" "entrance" {
  name            = "tillbox-entrance"
  profile         = "RESTRICTED"
  min_tls_version = "TLS_1_2"

  depends_on = [google_project_service.this]
}

# A delivery that is turned away here is one that Stripe repeats for days and then gives up, so no
# rule looks into bodies: what comes is known by its signature.
resource "google_compute_security_policy" "webhook" {
  #checkov:skip=CKV_GCP_73: nothing here is Java; the rule would refuse for ever a payment whose customer typed such a text
  name = "tillbox-webhook"

  rule {
    description = "Stripe's deliveries"
    priority    = 1000
    action      = "allow"

    match {
      expr {
        expression = "request.method == 'POST' && request.headers['host'] == '${var.webhook_host}' && request.path.matches('^/webhooks/stripe(/[a-z0-9_-]+)?$')"
      }
    }
  }

  rule {
    description = "everything else"
    priority    = 2147483647
    action      = "deny(404)"

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_compute_region_network_endpoint_group" "webhook" {
  count = local.has_webhook ? 1 : 0

  name                  = "tillbox-webhook"
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = google_cloud_run_v2_service.webhook[0].name
  }
}

resource "google_compute_region_network_endpoint_group" "console" {
  count = local.has_roles ? 1 : 0

  name                  = "tillbox-console"
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = google_cloud_run_v2_service.console[0].name
  }
}

resource "google_compute_backend_service" "webhook" {
  count = local.has_webhook ? 1 : 0

  name                  = "tillbox-webhook"
  protocol              = "HTTPS"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  security_policy       = google_compute_security_policy.webhook.id

  backend {
    group = google_compute_region_network_endpoint_group.webhook[0].id
  }

  log_config {
    enable      = true
    sample_rate = 0.1
  }
}

resource "google_compute_backend_service" "console" {
  count = local.has_roles ? 1 : 0

  name                  = "tillbox-console"
  protocol              = "HTTPS"
  load_balancing_scheme = "EXTERNAL_MANAGED"

  iap {
    enabled = true
  }

  backend {
    group = google_compute_region_network_endpoint_group.console[0].id
  }

  log_config {
    enable      = true
    sample_rate = 1
  }
}

resource "google_compute_url_map" "entrance" {
  count = local.has_webhook ? 1 : 0

  name = "tillbox-entrance"
  # Other names find what the policy above says: nothing.
  default_service = google_compute_backend_service.webhook[0].id

  dynamic "host_rule" {
    for_each = google_compute_backend_service.console[*].id

    content {
      hosts        = [var.console_host]
      path_matcher = "console"
    }
  }

  dynamic "path_matcher" {
    for_each = google_compute_backend_service.console[*].id

    content {
      name            = "console"
      default_service = path_matcher.value
    }
  }
}

resource "google_compute_target_https_proxy" "entrance" {
  count = local.has_webhook ? 1 : 0

  name             = "tillbox-entrance"
  url_map          = google_compute_url_map.entrance[0].id
  ssl_certificates = [google_compute_managed_ssl_certificate.entrance.id]
  ssl_policy       = google_compute_ssl_policy.entrance.id
}

resource "google_compute_global_forwarding_rule" "entrance" {
  count = local.has_webhook ? 1 : 0

  name                  = "tillbox-entrance"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.entrance.id
  port_range            = "443"
  target                = google_compute_target_https_proxy.entrance[0].id
}
