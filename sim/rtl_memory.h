// Memory behind the accelerator's AXI4 port: mapped host arrays, latency, stalls and faults.
//
// Knows nothing of the design: the bench moves signals in and out each cycle. A response (the
// first beat of a read, the acknowledgement of a write) is valid `latency` cycles after its
// request is complete; from then on one beat per `interval` cycles, read or written, and at most
// `outstanding` read requests are taken before the first of them has been answered. Reads take their bytes as late as
// possible, when a beat is offered, and writes take effect as late as possible, when they are
// acknowledged: programs that do not wait for each other's transfers show it.

#ifndef SHIFTLOOM_RTL_MEMORY_H
#define SHIFTLOOM_RTL_MEMORY_H

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

namespace shiftloom {

constexpr int kMaxBusBytes = 64;
constexpr uint8_t kOkay = 0, kSlaveError = 2, kDecodeError = 3;
constexpr uint64_t kPage = 4096;

using BeatData = std::array<uint8_t, kMaxBusBytes>;

// Transfers that break the rules of AXI4; the first one is kept.
enum Violation : int { kNone = 0, kCrossesPage = 1, kUnaligned = 2, kWrongLast = 3 };

// Decides each cycle whether a channel pauses; reproducible from its seed.
class Stalls {
  public:
    void configure(double rate, uint64_t seed) {
        threshold_ = static_cast<uint64_t>(rate * 4294967296.0);
        state_ = seed * 0x9E3779B97F4A7C15ull + 0x2545F4914F6CDD1Dull;
    }

    bool operator()() {
        if (threshold_ == 0) return false;
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return (state_ >> 32) < threshold_;
    }

  private:
    uint64_t threshold_ = 0, state_ = 1;
};

// Address ranges and the host arrays behind them.
class AddressMap {
  public:
    void map(uint8_t* data, uint64_t size, uint64_t address, bool writable) {
        areas_.push_back({data, size, address, writable});
    }

    void fault(uint64_t begin, uint64_t end) { fault_begin_ = begin, fault_end_ = end; }

    void clear() { areas_.clear(), fault(0, 0); }

    // Bytes behind the end of an area, in its last beat, read as zero.
    uint8_t read(uint64_t address, int bytes, BeatData& data) const {
        data.fill(0);
        const Area* area = find(address);
        if (faulty(address, bytes)) return kSlaveError;
        if (area == nullptr) return kDecodeError;
        const uint64_t offset = address - area->address;
        const uint64_t inside = std::min<uint64_t>(bytes, area->size - offset);
        std::memcpy(data.data(), area->data + offset, inside);
        return kOkay;
    }

    uint8_t write(uint64_t address, int bytes, const BeatData& data, uint64_t strobe) const {
        const Area* area = find(address);
        if (faulty(address, bytes)) return kSlaveError;
        if (area == nullptr || !area->writable) return kDecodeError;
        const uint64_t offset = address - area->address;
        for (int k = 0; k < bytes; ++k) {
            if (!(strobe >> k & 1)) continue;
            if (offset + k >= area->size) return kDecodeError;
            area->data[offset + k] = data[k];
        }
        return kOkay;
    }

  private:
    struct Area {
        uint8_t* data;
        uint64_t size, address;
        bool writable;
    };

    const Area* find(uint64_t address) const {
        for (const Area& area : areas_)
            if (address >= area.address && address - area.address < area.size) return &area;
        return nullptr;
    }

    bool faulty(uint64_t address, int bytes) const {
        return address < fault_end_ && address + bytes > fault_begin_;
    }

    std::vector<Area> areas_;
    uint64_t fault_begin_ = 0, fault_end_ = 0;
};

// What the memory drives, constant during a cycle.
struct MemoryOutputs {
    bool ar_ready = false, aw_ready = false, w_ready = false, r_valid = false, b_valid = false;
    bool r_last = false;
    uint8_t r_response = kOkay, b_response = kOkay;
    BeatData r_data{};
};

class Memory {
  public:
    AddressMap map;
    MemoryOutputs out;

    explicit Memory(int bus_bytes) : bytes_(bus_bytes) {}

    void configure(int64_t latency, int64_t interval, int64_t outstanding) {
        latency_ = latency, interval_ = interval, outstanding_ = outstanding;
    }

    void pause(double stall_rate, uint64_t seed) {
        violation_ = kNone;
        for (size_t k = 0; k < stalls_.size(); ++k) {
            stalls_[k].configure(stall_rate, seed * stalls_.size() + k + 1);
        }
    }

    // Forget everything in flight.
    void reset() {
        reads_.clear(), writes_.clear(), beats_.clear(), answers_.clear();
        out = MemoryOutputs{};
        bursts_of_data_ = 0;
        next_read_ = next_write_ = 0;
        violation_ = kNone;
    }

    int violation() const { return violation_; }

    // Choose the outputs of this cycle. What was offered and not taken stays.
    void drive(int64_t now) {
        out.ar_ready = !stalls_[0]() && static_cast<int64_t>(reads_.size()) < outstanding_;
        out.aw_ready = !stalls_[1]();
        out.w_ready = !stalls_[2]() && now >= next_write_;
        const bool reads = !out.r_valid && due(reads_, now) && now >= next_read_;
        if (reads && !stalls_[3]()) offer_read();
        if (!out.b_valid && due(answers_, now) && !stalls_[4]()) offer_answer();
    }

    void take_read_address(int64_t now, uint32_t address, int length) {
        check_address(address, length);
        reads_.push_back({address, length + 1, now + latency_});
    }

    void take_write_address(int64_t now, uint32_t address, int length) {
        check_address(address, length);
        writes_.push_back({address, length + 1, 0});
        match_writes(now);
    }

    void take_write_data(int64_t now, const void* data, uint64_t strobe, bool last) {
        beats_.push_back({{}, strobe, last});
        std::memcpy(beats_.back().data.data(), data, bytes_);
        bursts_of_data_ += last;
        next_write_ = now + interval_;
        match_writes(now);
    }

    void read_taken(int64_t now) {
        out.r_valid = false;
        next_read_ = now + interval_;
        Burst& burst = reads_.front();
        burst.address += bytes_;
        if (--burst.beats == 0) reads_.pop_front();
    }

    void answer_taken() {
        out.b_valid = false;
        answers_.pop_front();
    }

  private:
    struct Burst {
        uint64_t address;
        int beats;
        int64_t due;
    };

    struct WriteBeat {
        BeatData data;
        uint64_t strobe;
        bool last;
    };

    static bool due(const std::deque<Burst>& bursts, int64_t now) {
        return !bursts.empty() && bursts.front().due <= now;
    }

    void offer_read() {
        const Burst& burst = reads_.front();
        out.r_response = map.read(burst.address, bytes_, out.r_data);
        out.r_last = burst.beats == 1;
        out.r_valid = true;
    }

    void offer_answer() {
        const Burst& burst = answers_.front();
        out.b_response = kOkay;
        for (int k = 0; k < burst.beats; ++k) {
            const WriteBeat& beat = beats_.front();
            if (beat.last != (k == burst.beats - 1)) violation_ = kWrongLast;
            const uint64_t address = burst.address + static_cast<uint64_t>(k) * bytes_;
            const uint8_t response = map.write(address, bytes_, beat.data, beat.strobe);
            out.b_response = std::max(out.b_response, response);
            beats_.pop_front();
        }
        out.b_valid = true;
    }

    // A write is complete when its address and its last beat are there, in either order.
    void match_writes(int64_t now) {
        while (bursts_of_data_ > 0 && !writes_.empty()) {
            writes_.front().due = now + latency_;
            answers_.push_back(writes_.front());
            writes_.pop_front();
            --bursts_of_data_;
        }
    }

    void check_address(uint64_t address, int length) {
        const uint64_t end = address + static_cast<uint64_t>(length) * bytes_;
        if (address / kPage != end / kPage) violation_ = kCrossesPage;
        if (address % bytes_ != 0) violation_ = kUnaligned;
    }

    const int bytes_;
    int64_t latency_ = 1, interval_ = 1, outstanding_ = 1;
    int64_t next_read_ = 0, next_write_ = 0;
    std::array<Stalls, 5> stalls_;
    std::deque<Burst> reads_, writes_, answers_;
    std::deque<WriteBeat> beats_;
    int bursts_of_data_ = 0;
    int violation_ = kNone;
};

}  // namespace shiftloom

#endif
