# One network. Cloud Run's instances have addresses in its subnet (Direct VPC egress), and so have
# Kafka's brokers; Postgres, Redis and the export's disk are reached by a private range of Google's.
# There is no NAT: what sends all its traffic through here reaches Google's APIs and nothing else
# of the internet. Only jobs that ask Stripe go out by Cloud Run's own way.
resource "google_compute_network" "tillbox" {
  name                    = "tillbox"
  auto_create_subnetworks = false

  depends_on = [google_project_service.this]
}

resource "google_compute_subnetwork" "roles" {
  name                     = "tillbox-roles"
  network                  = google_compute_network.tillbox.id
  region                   = var.region
  ip_cidr_range            = "10.20.0.0/22"
  private_ip_google_access = true

  log_config {
    aggregation_interval = "INTERVAL_5_SEC"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

# Nothing comes in from anywhere but the network itself; Google's load balancer reaches Cloud Run
# outside of it.
resource "google_compute_firewall" "no_ingress" {
  name      = "tillbox-no-ingress"
  network   = google_compute_network.tillbox.id
  direction = "INGRESS"
  priority  = 65000

  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }
}

resource "google_compute_firewall" "within" {
  name      = "tillbox-within"
  network   = google_compute_network.tillbox.id
  direction = "INGRESS"
  priority  = 1000

  source_ranges = [google_compute_subnetwork.roles.ip_cidr_range]

  allow {
    protocol = "tcp"
    ports    = ["9092"]
  }
}

resource "google_compute_global_address" "services" {
  name          = "tillbox-services"
  network       = google_compute_network.tillbox.id
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
}

resource "google_service_networking_connection" "services" {
  network                 = google_compute_network.tillbox.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services.name]
}
