/** Model files: safetensors, published configurations, audio presets. All of it reads untrusted bytes with caps. */
package io.sensorium.models;
