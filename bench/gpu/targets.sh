# The native tests that run on the GPU: for run and pack.
native_tests=(runtime_cuda_test pipeline_cuda_test pipeline_cuda_bucket_test audio_stream_cuda_test log_mel_cufft_test check_cuda_test)
