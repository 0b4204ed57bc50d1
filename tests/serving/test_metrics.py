"""What Prometheus reads from a server."""

from tests.serving.asking import URL, body


def test_metrics_have_the_names_of_vllm_with_our_prefix(client, video_urls):
    client.post(URL, json=body(video_urls[0]))
    client.post(URL, json=body(video_urls[0], stream=True))
    client.post(URL, json={})
    text = client.get("/metrics").text
    for name in (
        'eilev_num_requests_running{model_name="eilev"} 0.0',
        'eilev_prompt_tokens_total{model_name="eilev"}',
        'eilev_generation_tokens_total{model_name="eilev"}',
        'eilev_time_to_first_token_seconds_count{model_name="eilev"}',
        'eilev_e2e_request_latency_seconds_count{model_name="eilev"}',
        'eilev_request_success_total{finished_reason="',
        'eilev_request_refused_total{status="400"}',
        "process_resident_memory_bytes",
    ):
        assert name in text
