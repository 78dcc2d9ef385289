output "entrance_address" {
  description = "Where the DNS records of webhook_host and console_host point."
  value       = google_compute_global_address.entrance.address
}

output "repository" {
  description = "Where the image is pushed."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.tillbox.repository_id}"
}

output "webhook_url" {
  description = "The endpoint's address at Stripe."
  value       = "https://${var.webhook_host}/webhooks/stripe"
}

output "kafka_bootstrap" {
  description = "kafka.bootstrap of a box that is moved in."
  value       = local.settings.kafka.TILLBOX_KAFKA_BOOTSTRAP
}

output "redis_address" {
  description = "Where Redis is, for a box that is moved in; its password is the secret tillbox-redis-url."
  value       = "${google_redis_instance.tillbox.host}:${google_redis_instance.tillbox.port}"
}
