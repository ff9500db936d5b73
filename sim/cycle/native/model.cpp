// The cycle model behind a C interface: instructions in, arrays of cycles out.

#include <memory>

#include "machine.h"

namespace shiftloom {
namespace {

// A run's arrays in the order of native.py.
struct Outcome {
    Time cycles = 0;
    std::vector<std::vector<Time>> arrays;
};

bool counts(Instruction settings, std::initializer_list<Field> fields) {
    if (!settings.bytes) return false;
    return std::all_of(fields.begin(), fields.end(), [&](Field f) { return settings[f] != 0; });
}

// Whether a job has all the settings it needs, and its counts are not 0.
bool complete(Instruction work, const Instruction* settings) {
    if (work.opcode() == OPCODE_MAC) {
        return work[MAC_rows] &&
               counts(settings[OPCODE_MAC_LOOPS],
                      {MAC_LOOPS_blocks, MAC_LOOPS_groups, MAC_LOOPS_kernel_rows,
                       MAC_LOOPS_kernel_columns, MAC_LOOPS_columns});
    }
    if (work.opcode() != OPCODE_VECTOR) return true;
    const Instruction loops = settings[OPCODE_VECTOR_LOOPS];
    if (!work[VECTOR_rows] || !settings[OPCODE_VECTOR_REQUANTIZE].bytes) return false;
    if (!counts(loops, {VECTOR_LOOPS_columns, VECTOR_LOOPS_emit_period})) return false;
    return loops[VECTOR_LOOPS_source] != SOURCE_ACTIVATION ||
           counts(loops, {VECTOR_LOOPS_kernel_rows, VECTOR_LOOPS_kernel_columns});
}

// Return the instructions up to END; none if anything is wrong with them.
std::vector<Instruction> listing_of(const uint8_t* code, int64_t count, int64_t config_id) {
    std::vector<Instruction> listing;
    Instruction settings[OPCODES];
    for (int64_t k = 0; k < count; ++k) {
        const Instruction instruction{code + k * INSTRUCTION_BYTES};
        const int opcode = instruction.opcode();
        if (opcode >= OPCODES || !EXISTS[opcode]) return {};
        if (!k && opcode != OPCODE_CONFIG) return {};
        if (opcode == OPCODE_CONFIG && instruction[CONFIG_config_id] != config_id) return {};
        if (!complete(instruction, settings)) return {};
        settings[opcode] = instruction;
        listing.push_back(instruction);
        if (opcode == OPCODE_END) return listing;
    }
    return {};
}

Outcome outcome_of(Machine& machine, Time cycles) {
    Outcome found{cycles, {}};
    auto& arrays = found.arrays;
    const auto add = [&](std::vector<Time>* lists) {
        for (int k = 0; k < ENGINES; ++k) arrays.push_back(std::move(lists[k]));
    };
    std::vector<Time> stalls[] = {machine.load.stalls, machine.mac.stalls, machine.vector.stalls,
                                  machine.store.stalls};
    add(machine.starts), add(machine.tokens.dones), add(machine.waits), add(machine.waited);
    add(stalls);
    arrays.push_back(std::move(machine.mac.begins));
    arrays.push_back(std::move(machine.reads.loads));
    arrays.push_back(std::move(machine.reads.fetches));
    arrays.push_back(std::move(machine.store.port.bursts));
    arrays.push_back(std::move(machine.vector.counts));
    arrays.push_back({machine.mac.active, machine.vector.active, machine.reads.fetched,
                      machine.reads.loaded, machine.store.port.beats});
    return found;
}

Outcome run(const uint8_t* code, int64_t count, const Config& config, const Memory& memory) {
    std::vector<uint8_t> padded(code, code + count * INSTRUCTION_BYTES);
    padded.resize(padded.size() + sizeof(uint64_t));
    auto listing = listing_of(padded.data(), count, config.id);
    if (listing.empty()) return {NEVER, {}};
    Machine machine(config, memory, std::move(listing), count);
    const Time cycles = machine.run();
    return outcome_of(machine, cycles);
}

}  // namespace
}  // namespace shiftloom

#define EXPORT extern "C" __attribute__((visibility("default")))

using shiftloom::Outcome;

// Return a run; close() frees it. Its cycles are NEVER where the program is wrong or stuck.
EXPORT void* shiftloom_open(const uint8_t* code, int64_t count, const int64_t* config,
                            const int64_t* memory) try {
    shiftloom::Config machine;
    shiftloom::Memory external;
    std::memcpy(&machine, config, sizeof machine);
    std::memcpy(&external, memory, sizeof external);
    return new Outcome(shiftloom::run(code, count, machine, external));
} catch (const std::exception&) {
    return new Outcome{shiftloom::NEVER, {}};
}

EXPORT int64_t shiftloom_total(const Outcome* run) { return run->cycles; }

// Find an array of a run, and return its length.
EXPORT int64_t shiftloom_array(const Outcome* run, int index, const int64_t** data) {
    *data = run->arrays[index].data();
    return run->arrays[index].size();
}

EXPORT void shiftloom_close(Outcome* run) { delete run; }
