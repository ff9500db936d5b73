// A verilated accelerator between a memory and a host, behind a C interface.
//
// One call runs many cycles; Python sees registers, progress and what was traced.

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "Vshiftloom_top.h"
#include "rtl_memory.h"
#include "verilated.h"

double sc_time_stamp() { return 0; }

namespace shiftloom {

constexpr int kEngines = 4;
constexpr int kRegisterPatience = 1000;

// From the cycle in which a write of CONTROL is taken to the first one that CYCLES counts: the
// machine is cleared in between.
constexpr int64_t kStartDelay = 2;

// What the bench remembers of a run.
struct Trace {
    bool keep_writes = false;
    std::vector<int32_t> addresses;
    std::vector<uint8_t> data;
    std::vector<int64_t> starts[kEngines], dones[kEngines];

    void clear() {
        addresses.clear(), data.clear();
        for (int k = 0; k < kEngines; ++k) starts[k].clear(), dones[k].clear();
    }
};

class Bench {
  public:
    Bench()
        : context_(std::make_unique<VerilatedContext>()),
          top_(std::make_unique<Vshiftloom_top>(context_.get())),
          memory(sizeof(top_->m_axi_rdata)) {
        reset();
    }

    ~Bench() { top_->final(); }

    void reset() {
        memory.reset();
        top_->rst = 1;
        for (int k = 0; k < 4; ++k) cycle();
        top_->rst = 0;
        memory.reset();
    }

    // Return whether the register port answered.
    bool write(uint32_t offset, uint32_t value) {
        top_->s_axi_awaddr = offset, top_->s_axi_wdata = value, top_->s_axi_wstrb = 0xF;
        top_->s_axi_awvalid = top_->s_axi_wvalid = top_->s_axi_bready = 1;
        for (int k = 0; k < kRegisterPatience; ++k) {
            settle();
            const bool address = top_->s_axi_awvalid && top_->s_axi_awready;
            const bool data = top_->s_axi_wvalid && top_->s_axi_wready;
            const bool answered = top_->s_axi_bvalid;
            if (data) written_at_ = now_;
            step();
            if (address) top_->s_axi_awvalid = 0;
            if (data) top_->s_axi_wvalid = 0;
            if (answered) return top_->s_axi_bready = 0, true;
        }
        return top_->s_axi_awvalid = top_->s_axi_wvalid = top_->s_axi_bready = 0, false;
    }

    bool read(uint32_t offset, uint32_t* value) {
        top_->s_axi_araddr = offset;
        top_->s_axi_arvalid = top_->s_axi_rready = 1;
        for (int k = 0; k < kRegisterPatience; ++k) {
            settle();
            const bool address = top_->s_axi_arvalid && top_->s_axi_arready;
            const bool answered = top_->s_axi_rvalid;
            *value = top_->s_axi_rdata;
            step();
            if (address) top_->s_axi_arvalid = 0;
            if (answered) return top_->s_axi_rready = 0, true;
        }
        return top_->s_axi_arvalid = top_->s_axi_rready = 0, false;
    }

    bool start(uint32_t offset, uint32_t value, bool keep_writes) {
        trace.clear();
        trace.keep_writes = keep_writes;
        const bool answered = write(offset, value);
        origin_ = written_at_ + kStartDelay;
        return answered;
    }

    // Run until the interrupt, at most so many cycles; return whether it came.
    bool run(int64_t cycles) {
        for (; cycles > 0; --cycles) {
            settle();
            if (top_->__SYM__interrupt) return true;  // Verilator shuns the plain word
            step();
        }
        return false;
    }

    int64_t elapsed() const { return now_ - origin_; }
    int64_t origin() const { return origin_; }
    int64_t word_bytes() const { return sizeof(top_->trace_write_data); }

  private:
    std::unique_ptr<VerilatedContext> context_;
    std::unique_ptr<Vshiftloom_top> top_;
    int64_t now_ = 0, origin_ = 0, written_at_ = 0;

  public:
    Memory memory;
    Trace trace;

  private:
    void cycle() { settle(), step(); }

    // Drive the inputs of this cycle and let the logic follow.
    void settle() {
        memory.drive(now_);
        const MemoryOutputs& o = memory.out;
        top_->m_axi_arready = o.ar_ready;
        top_->m_axi_awready = o.aw_ready;
        top_->m_axi_wready = o.w_ready;
        top_->m_axi_rvalid = o.r_valid;
        top_->m_axi_rlast = o.r_last;
        top_->m_axi_rresp = o.r_response;
        std::memcpy(&top_->m_axi_rdata, o.r_data.data(), sizeof(top_->m_axi_rdata));
        top_->m_axi_bvalid = o.b_valid;
        top_->m_axi_bresp = o.b_response;
        top_->clk = 0;
        top_->eval();
    }

    // See what is transferred in this cycle, and end it.
    void step() {
        if (!top_->rst) {
            observe_memory();
            observe_trace();
        }
        top_->clk = 1;
        top_->eval();
        ++now_;
    }

    void observe_memory() {
        const MemoryOutputs& o = memory.out;
        const bool reads = o.r_valid && top_->m_axi_rready;
        const bool answers = o.b_valid && top_->m_axi_bready;
        if (top_->m_axi_arvalid && o.ar_ready)
            memory.take_read_address(now_, top_->m_axi_araddr, top_->m_axi_arlen);
        if (top_->m_axi_awvalid && o.aw_ready)
            memory.take_write_address(now_, top_->m_axi_awaddr, top_->m_axi_awlen);
        if (top_->m_axi_wvalid && o.w_ready)
            memory.take_write_data(now_, &top_->m_axi_wdata, top_->m_axi_wstrb, top_->m_axi_wlast);
        if (reads) memory.read_taken(now_);
        if (answers) memory.answer_taken();
    }

    void observe_trace() {
        for (int k = 0; k < kEngines; ++k) {
            if (top_->trace_start >> k & 1) trace.starts[k].push_back(now_);
            if (top_->trace_done >> k & 1) trace.dones[k].push_back(now_);
        }
        if (!trace.keep_writes || !top_->trace_write_valid) return;
        trace.addresses.push_back(top_->trace_write_addr);
        const auto* bytes = reinterpret_cast<const uint8_t*>(&top_->trace_write_data);
        trace.data.insert(trace.data.end(), bytes, bytes + sizeof(top_->trace_write_data));
    }
};

}  // namespace shiftloom

using shiftloom::Bench;

#if defined(_WIN32)
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

EXPORT Bench* shiftloom_open() { return new Bench; }
EXPORT void shiftloom_close(Bench* bench) { delete bench; }
EXPORT void shiftloom_reset(Bench* bench) { bench->reset(); }

EXPORT void shiftloom_configure(
    Bench* bench, int64_t latency, int64_t interval, int64_t outstanding) {
    bench->memory.configure(latency, interval, outstanding);
}

EXPORT void shiftloom_pause(Bench* bench, double stalls, uint64_t seed) {
    bench->memory.pause(stalls, seed);
}

EXPORT void shiftloom_map(
    Bench* bench, uint8_t* data, uint64_t size, uint64_t address, int writable) {
    bench->memory.map.map(data, size, address, writable != 0);
}

EXPORT void shiftloom_fault(Bench* bench, uint64_t begin, uint64_t end) {
    bench->memory.map.fault(begin, end);
}

EXPORT void shiftloom_unmap(Bench* bench) { bench->memory.map.clear(); }

EXPORT int shiftloom_write(Bench* bench, uint32_t offset, uint32_t value) {
    return bench->write(offset, value);
}

EXPORT int shiftloom_read(Bench* bench, uint32_t offset, uint32_t* value) {
    return bench->read(offset, value);
}

EXPORT int shiftloom_start(Bench* bench, uint32_t offset, uint32_t value, int keep_writes) {
    return bench->start(offset, value, keep_writes != 0);
}

EXPORT int shiftloom_run(Bench* bench, int64_t cycles) { return bench->run(cycles); }
EXPORT int64_t shiftloom_elapsed(Bench* bench) { return bench->elapsed(); }
EXPORT int64_t shiftloom_origin(Bench* bench) { return bench->origin(); }
EXPORT int shiftloom_violation(Bench* bench) { return bench->memory.violation(); }

EXPORT int64_t shiftloom_word_bytes(Bench* bench) { return bench->word_bytes(); }

EXPORT int64_t shiftloom_writes(Bench* bench, const int32_t** addresses, const uint8_t** data) {
    *addresses = bench->trace.addresses.data();
    *data = bench->trace.data.data();
    return bench->trace.addresses.size();
}

EXPORT int64_t shiftloom_stamps(Bench* bench, int engine, int dones, const int64_t** stamps) {
    const auto& list = dones ? bench->trace.dones[engine] : bench->trace.starts[engine];
    *stamps = list.data();
    return list.size();
}
