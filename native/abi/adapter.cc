#include "abi/guard.h"
#include "abi/handles.h"

extern "C" {

int32_t sns_adapter_create(sns_engine engine, const sns_adapter_config* config, const float* down_weight,
                           const float* down_bias, const float* up_weight, const float* up_bias,
                           sns_adapter* out) {
  return sns::guard([&] {
    sns::not_null(engine, "engine");
    sns::not_null(out, "out");
    const sns_adapter_config& c = *sns::checked_struct(config, "config");
    sns::AdapterConfig a;
    a.d = c.d;
    a.bottleneck = c.bottleneck;
    a.activation = sns::checked_enum(c.activation, sns::Activation::kTanh, "activation");
    a.scale = c.scale;
    validate(a);
    sns::not_null(down_weight, "down_weight");
    sns::not_null(up_weight, "up_weight");
    auto handle = std::make_unique<sns_adapter_t>();
    handle->adapter = std::make_shared<const sns::Adapter>(a, down_weight, down_bias, up_weight, up_bias,
                                                           engine->engine->cuda());
    *out = handle.release();
  });
}

void sns_adapter_destroy(sns_adapter adapter) { delete adapter; }

}  // extern "C"
